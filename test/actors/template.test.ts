import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileTemplate,
  renderTemplate,
  templateReferences,
  templateVariables,
} from '../../src/actors/template.ts';
import { limits } from '../../src/kernel/limits.ts';

describe('renderTemplate', () => {
  it('does not escape HTML', () => {
    expect(renderTemplate('{{a}} {{{a}}} {{&a}}', { a: '<"&\'>' })).toBe('<"&\'> <"&\'> <"&\'>');
  });

  it('renders lists and objects as JSON with a space after colon and comma', () => {
    const value = { names: ['Ewa', 'a: b, c'], amount: 1.5, none: null, inner: { ok: true } };
    expect(renderTemplate('{{value}}', { value })).toBe(
      '{"names": ["Ewa", "a: b, c"], "amount": 1.5, "none": null, "inner": {"ok": true}}',
    );
    expect(renderTemplate('{{{list}}}', { list: [[], {}, 'x'] })).toBe('[[], {}, "x"]');
  });

  it('renders a missing value, null and a path through a text as nothing', () => {
    expect(renderTemplate('[{{a}}{{b.c}}{{d}}{{e.length}}]', { b: {}, d: null, e: 'text' })).toBe(
      '[]',
    );
  });

  it('renders false and zero', () => {
    expect(renderTemplate('{{a}} {{b}}', { a: false, b: 0 })).toBe('false 0');
  });

  it('repeats a section for each element and sees the variables around it', () => {
    const variables = { run: 'r', items: [{ name: 'a' }, { name: 'b' }] };
    expect(renderTemplate('{{#items}}{{run}}-{{name}};{{/items}}', variables)).toBe('r-a;r-b;');
  });

  it('names the element of a list with a dot', () => {
    expect(renderTemplate('{{#list}}<{{.}}>{{/list}}', { list: ['a', 1, ['x']] })).toBe(
      '<a><1><["x"]>',
    );
  });

  it('renders an inverted section only where nothing is there', () => {
    const template = '{{^list}}none{{/list}}{{#list}}some{{/list}}';
    expect(renderTemplate(template, { list: [] })).toBe('none');
    expect(renderTemplate(template, { list: [1] })).toBe('some');
    expect(renderTemplate(template, {})).toBe('none');
  });

  it('looks up the rest of a path only where its first part was found', () => {
    const variables = { a: { b: 'outer' }, inner: { a: {} } };
    expect(renderTemplate('{{#inner}}[{{a.b}}]{{/inner}}', variables)).toBe('[]');
  });

  it('leaves no empty line where a section tag stands alone', () => {
    expect(renderTemplate('a\n{{#x}}\nb\n{{/x}}\nc\n', { x: true })).toBe('a\nb\nc\n');
  });

  it('reads no prototype and calls nothing', () => {
    const called: string[] = [];
    const variables = { items: [], text: 'x', call: () => called.push('called') };
    const template =
      '{{constructor}}{{items.map}}{{text.length}}{{__proto__}}{{toString}}{{call}}{{#call}}{{/call}}';
    expect(renderTemplate(template, variables)).toBe('');
    expect(called).toEqual([]);
  });

  it('does not render a value as a template again', () => {
    expect(renderTemplate('{{a}}', { a: '{{b}}', b: 'secret' })).toBe('{{b}}');
  });

  it('inserts any JSON so that it parses back to itself', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (value) => {
        const parsed: unknown = JSON.parse(renderTemplate('{{value}}', { value }));
        expect(parsed).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 200 },
    );
  });

  it('renders the same after its cache was filled by others', () => {
    const render = (): string => renderTemplate('{{a}}!', { a: 'x' });
    const before = render();
    for (let index = 0; index <= limits.compiledTemplatesMax; index += 1) {
      renderTemplate(`${index} {{a}}`, {});
    }
    expect(render()).toBe(before);
  });
});

describe('compileTemplate', () => {
  it.each([
    ['ab {{name', 9],
    ['ab {{#a}} x', 11],
    ['a{{/b}}', 1],
    ['{{#a}}{{/b}}', 6],
    ['x {{> part}}', 2],
    ['x {{=<% %>=}}', 2],
    ['x {{}} y', 2],
    ['x {{a b}}', 2],
    ['x {{a..b}}', 2],
  ])('refuses %j and says where', (text, offset) => {
    expect(() => compileTemplate(text)).toThrowError(
      expect.objectContaining({
        code: 'PIPELINE_INVALID',
        message: expect.stringContaining(`at character ${offset + 1}: `),
        details: expect.objectContaining({ offset }),
      }),
    );
  });

  it('refuses sections that are nested too deeply', () => {
    const nested = (depth: number): string => '{{#a}}'.repeat(depth) + '{{/a}}'.repeat(depth);
    expect(() => compileTemplate(nested(limits.templateNestingMax))).not.toThrow();
    expect(() => compileTemplate(nested(limits.templateNestingMax + 1))).toThrow(/nested/);
  });
});

describe('templateVariables', () => {
  it('lists names and paths outside sections, each once', () => {
    const text = '{{a}} {{b.c}} {{a}} {{! note }}{{#list}}{{inner}}{{.}}{{/list}}{{^d}}{{e}}{{/d}}';
    expect(templateVariables(text)).toEqual(['a', 'b.c', 'list', 'd']);
  });

  it('tells where each name stands and whether it is inside a section', () => {
    expect(templateReferences('x {{#list}}{{ inner }}{{/list}}')).toEqual([
      { name: 'list', offset: 2, nested: false },
      { name: 'inner', offset: 11, nested: true },
    ]);
  });
});
