import { expect, test } from 'vitest'
import { versionText } from './version-text.ts'

test('the platform has the names that Go gives it', () => {
  const at = (platform: string, arch: string) =>
    versionText({ version: 'v26.0.0', platform, arch }).slice(4)
  expect(at('linux', 'x64')).toEqual([
    '  GoVersion: node v26.0.0',
    '  Compiler: v8',
    '  Platform: linux/amd64',
  ])
  expect(at('win32', 'x64').at(-1)).toBe('  Platform: windows/amd64')
  expect(at('darwin', 'arm64').at(-1)).toBe('  Platform: darwin/arm64')
})
