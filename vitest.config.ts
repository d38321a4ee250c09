import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    environment: 'node',
    // Virtual time needs no limit; a busy machine needs room.
    testTimeout: 30_000,
  },
})
