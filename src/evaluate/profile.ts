import type { InferenceSession, StepProfile } from '../session.js';
import type { TensorMap } from '../tensor.js';

export interface ProfiledStep extends StepProfile {
  /** Share of the whole run, in [0, 1]. */
  readonly share: number;
  /** The weight format of a layer. */
  readonly format?: string;
}

/**
 * Medians of the time each step of a model takes over several runs on this thread, in the order they run.
 * @param runs how many runs, after one that is not counted
 */
export function profileSession(session: InferenceSession, feeds: TensorMap, runs = 11): ProfiledStep[] {
  session.runSync(feeds);
  const profiles = Array.from({ length: runs }, () => session.profile(feeds));
  const formats = new Map(session.explain(feeds).map(({ name, format }) => [name, format]));
  const steps = (profiles[0] ?? []).map((step, i) => {
    const times = profiles.map((profile) => profile[i]?.milliseconds ?? 0).sort((a, b) => a - b);
    return { ...step, milliseconds: times[Math.floor(times.length / 2)] ?? 0 };
  });
  const total = steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return steps.map((step) => {
    const format = formats.get(step.name);
    return { ...step, share: step.milliseconds / total, ...(format !== undefined && { format }) };
  });
}
