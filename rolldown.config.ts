import { defineConfig } from 'rolldown'

/** Two files that Node.js runs without the sources beside them: the release. */
export default defineConfig({
  input: {
    serinus: 'packages/cli/src/main.ts',
    'kubectl-argo-rollouts': 'packages/cli/src/plugin-main.ts',
  },
  platform: 'node',
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].mjs',
    banner: '#!/usr/bin/env node',
  },
})
