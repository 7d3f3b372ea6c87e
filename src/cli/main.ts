#!/usr/bin/env node
import { runCli } from './program.js';

let outputFailed = false;

// A reader that has seen enough (`espalier inspect model.onnx | head`) closes the pipe: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  outputFailed = true;
  process.stderr.write(`espalier: cannot write to standard output: ${error.message} (ERR_ESPALIER_FILE)\n`);
  process.exitCode = 1;
});
process.stderr.on('error', () => {}); // there is no one left to tell

const exitCode = await runCli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  interactive: process.stderr.isTTY === true,
});
process.exitCode = outputFailed ? 1 : exitCode;
