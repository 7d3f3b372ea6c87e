import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
    maxWorkers: '100%', // not one fewer than there are CPUs: most machines that run this have two
    globalSetup: ['test/global-setup.ts'],
  },
});
