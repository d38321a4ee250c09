import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    environment: 'node',
    // Vitest leaves one core to others, which on two cores is half of the machine.
    maxWorkers: availableParallelism(),
    // Virtual time needs no limit; a busy machine needs room.
    testTimeout: 30_000,
  },
})
