/** What is laid below a script's file system: files of one place, read whole beforehand. */
export interface Mount {
  /** Where, such as `/docs`. */
  readonly at: string;
  /** Content by path below that place. The bytes are shared and never written. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Folders besides those that the files need. */
  readonly folders?: readonly string[];
}
