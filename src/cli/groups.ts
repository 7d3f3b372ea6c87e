import type { Command } from 'commander';
import { findGroups } from '../prune/structured/groups.js';
import { formatGroups } from '../prune/structured/print.js';
import { collect, readShapes } from './arguments.js';
import { openInput, readGraph } from './input.js';
import { type Io, print } from './io.js';

export function addGroups(program: Command, io: Io): void {
  program
    .command('groups')
    .description('show the channels, heads and neurons that can be removed, and what keeps the others')
    .argument('<model>', 'an ONNX model or a compiled one')
    .option(
      '--shape <name=dims>',
      'dims of an input, such as x=1,3,48,320; repeat for more inputs',
      collect,
      [],
    )
    .option('--json', 'print JSON')
    .action(async (model: string, { shape, json }: { shape: readonly string[]; json?: boolean }) => {
      const graph = await readGraph(await openInput(model));
      const names = graph.inputs.map(({ name }) => name);
      const groups = findGroups(graph, { shapes: Object.fromEntries(readShapes(shape, names)) });
      const data = groups.map(({ axes, blocked, ...group }) => ({
        ...group,
        blocked: blocked?.reason ?? null,
      }));
      print(io, json, data, () => formatGroups(groups));
    });
}
