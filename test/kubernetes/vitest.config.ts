import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The files that run against the embedded cluster in `npm test` and against a real control plane here. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: [
      'test/{conformance,kubernetes}/**/*.test.ts',
      'packages/cluster/src/apiserver/{access,custom-kinds,deletion,kubectl,reads,server-side-apply,writes}.test.ts',
    ],
    environment: 'node',
    // One cluster for all: CRDs and controllers of one file would meet those of another.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
})
