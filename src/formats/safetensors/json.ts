import { EspalierError } from '../../errors.js';

/** Values and keys a header may hold. Each costs up to some 100 bytes in memory and as little as two in the file. */
const largestItemCount = 2 ** 22;

/** Object of tensors, tensor, list of numbers. */
const deepest = 3;

/**
 * Parses the JSON text of a header. What `JSON.parse` lets pass is refused before it: a key that comes twice, of which
 * it would keep the last, so that two readers of one file could see different tensors; nesting and numbers of items
 * that would cost much more memory than the file has bytes.
 * @throws EspalierError ERR_ESPALIER_MODEL
 */
export function parseStrict(text: string, what: string): unknown {
  const refuse = (got: string, cause?: unknown) =>
    new EspalierError('ERR_ESPALIER_MODEL', `Expected ${what} to be JSON, got ${got}`, { cause });
  const duplicate = scan(text, refuse);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (duplicate !== undefined) throw refuse(`the key ${JSON.stringify(duplicate)} twice`);
  return value;
}

/** The first key that an object has twice. The text may be anything: that it is JSON is for the parser to say. */
function scan(text: string, refuse: (got: string) => EspalierError): string | undefined {
  const open: (Set<string> | undefined)[] = []; // keys of each open object, undefined for a list
  let items = 0;
  let duplicate: string | undefined;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"': {
        const end = endOfString(text, at);
        if (isKey(text, end)) {
          const key = unquote(text.slice(at, end));
          const keys = open.at(-1);
          if (keys?.has(key)) duplicate ??= key;
          keys?.add(key);
          items++;
        }
        at = end - 1;
        break;
      }
      case '{':
      case '[':
        open.push(text[at] === '{' ? new Set() : undefined);
        items++;
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        items++;
    }
    if (open.length > deepest) throw refuse(`more than ${deepest} levels of nesting`);
    if (items > largestItemCount) throw refuse(`more than ${largestItemCount} items`);
  }
  return duplicate;
}

/** The position behind the quote that ends the string that starts at `start`; the end of the text when none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
  return text.length;
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (' \t\n\r'.includes(text[at] ?? '.')) at++;
  return text[at] === ':';
}

function unquote(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted; // no JSON, as the parser will say
  }
}
