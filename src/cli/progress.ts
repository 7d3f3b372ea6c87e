import { SingleBar } from 'cli-progress';
import type { Io } from './io.js';

export interface Progress {
  /** Takes the share that is done, in [0, 1]. */
  readonly update: (share: number) => void;
  readonly stop: () => void;
}

/** A progress bar on standard error when a person watches; nothing when not. */
export function showProgress(io: Io, title: string): Progress {
  if (!io.interactive) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar({
    format: `${title} {bar} {percentage} %`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    fps: 5,
  });
  bar.start(100, 0);
  let shown = 0;
  return {
    update: (share) => {
      const percentage = Math.floor(share * 100);
      if (percentage > shown) bar.update(percentage);
      shown = percentage;
    },
    stop: () => bar.stop(),
  };
}
