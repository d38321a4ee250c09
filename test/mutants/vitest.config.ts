import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'
import { mutants } from './mutants.ts'

const mutant = mutants.find(({ issue }) => String(issue) === process.env['MUTANT'])

/** The tests of the whole repository, with the sources as the mutant that MUTANT names has them. */
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  plugins: [
    {
      name: 'mutant',
      enforce: 'pre',
      transform(code, id) {
        const edits =
          mutant?.edits.filter(({ file }) => id.split('?')[0]?.endsWith(`/${file}`)) ?? []
        if (edits.length === 0) return null
        return edits.reduce((text, { find, replace }) => text.replace(find, () => replace), code)
      },
    },
  ],
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    environment: 'node',
    testTimeout: 30_000,
    // It would keep the sources of another mutant.
    fsModuleCache: false,
  },
})
