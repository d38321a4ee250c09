import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compatibilityTable } from './compatibility.ts'

test('docs/compatibility.md says which scenarios the tests show', () => {
  const page = readFileSync(new URL('../docs/compatibility.md', import.meta.url), 'utf8')
  expect(page, 'renew it: node test/compatibility.ts > docs/compatibility.md').toBe(
    compatibilityTable(),
  )
})
