/**
 * Loads the native package that its argument names and uses it once. Entry of
 * a child process of `claw doctor`, because a broken binary can end the
 * process that loads it. Exit status 0 means that the package works.
 */

async function probe(name: string | undefined): Promise<void> {
  switch (name) {
    case 'isolated-vm': {
      const { default: ivm } = await import('isolated-vm');
      const isolate = new ivm.Isolate({ memoryLimit: 8 });
      isolate.createContextSync().evalSync('6 * 7');
      isolate.dispose();
      return;
    }
    case 'node-llama-cpp': {
      const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
      const llama = await getLlama({
        gpu: false,
        build: 'never',
        skipDownload: true,
        progressLogs: false,
        logLevel: LlamaLogLevel.error,
        logger: () => undefined,
      });
      await llama.dispose();
      return;
    }
    default:
      throw new Error(`There is no probe for ${name}.`);
  }
}

await probe(process.argv[2]);
