import { isSafetensors } from '../formats/safetensors/index.js';
import { InferenceSession } from '../session.js';
import type { SessionOptions } from '../session_options.js';
import type { Tensor } from '../tensor.js';
import type { SessionArguments } from './arguments.js';
import { readFeeds } from './feeds.js';
import { type Input, readGraph } from './input.js';
import type { Io } from './io.js';
import { showProgress } from './progress.js';

/**
 * The session and the feeds that a command line asks for, with the plan for the feeds' shapes made: tuning, which can
 * take a while, shows its progress when a person watches. The caller releases the session.
 */
export async function openSession(
  input: Input,
  given: SessionArguments & { readonly input?: readonly string[] },
  io: Io,
): Promise<{ readonly session: InferenceSession; readonly feeds: Record<string, Tensor> }> {
  const progress = given.tune === true ? showProgress(io, 'tune') : undefined;
  let session: InferenceSession | undefined;
  try {
    session = await createSession(input, sessionOptions(given, progress?.update));
    const feeds = await readFeeds(session.inputMetadata, given);
    if (given.tune === true) session.explain(feeds);
    return { session, feeds };
  } catch (error) {
    session?.release();
    throw error;
  } finally {
    progress?.stop();
  }
}

/** A session for a model, whose bytes are read once. */
export async function createSession(input: Input, options: SessionOptions): Promise<InferenceSession> {
  const { file, bytes } = input;
  if (bytes === undefined || isSafetensors(bytes)) return InferenceSession.create(bytes ?? file, options);
  return InferenceSession.fromGraph(await readGraph(input), options);
}

/** The options of a session that a command line asks for. */
export function sessionOptions(
  { threads, isa, spin, tune, weightStorage }: SessionArguments,
  onTune?: (share: number) => void,
): SessionOptions {
  return {
    ...(threads !== undefined && { threads }),
    ...(isa !== undefined && { isa }),
    ...(spin !== undefined && { spin }),
    ...(tune === true && { tune: 'load' }),
    ...(onTune !== undefined && { onTune }),
    ...(weightStorage !== undefined && { weightStorage }),
  };
}
