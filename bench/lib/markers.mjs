/**
 * The text with the lines between two markers, <!-- NAME --> and <!-- /NAME -->, replaced.
 * @param {string} text @param {string} marker @param {string} content
 */
export function replaceBetween(text, marker, content) {
  const [open, close] = [`<!-- ${marker} -->\n`, `<!-- /${marker} -->`];
  const start = text.indexOf(open);
  const end = text.indexOf(close);
  if (start < 0 || end < start) throw new Error(`Expected the markers of ${marker}`);
  return `${text.slice(0, start + open.length)}${content}\n${text.slice(end)}`;
}

/** Lines of a table: its first column to the left, the others to the right. @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
export function markdownTable(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|---|${'--:|'.repeat(head.length - 1)}`, ...rows.map(line)].join('\n');
}

/** What results hold for, in one sentence. @param {Record<string, unknown>} machine */
export function describeOrigin({ cpu, isa, node, onnxruntime, commit, date }) {
  const day = String(date).slice(0, 10);
  const flags = /** @type {string[]} */ (isa).join(' ');
  return `${cpu} (${flags}), Node ${node}, onnxruntime ${onnxruntime}, commit ${commit}, ${day}.`;
}
