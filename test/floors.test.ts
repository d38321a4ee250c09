import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** Who may import whom: only downwards, never sideways (CONTRIBUTING, "The house"). */
const floors: Readonly<Record<string, number>> = {
  kinds: 0,
  expr: 0,
  gotemplate: 0,
  promql: 0,
  statistics: 0,
  api: 1,
  kube: 1,
  engine: 2,
  plugins: 2,
  traffic: 3,
  metrics: 3,
  notifications: 3,
  cluster: 3,
  controller: 4,
  cli: 6,
}

interface Import {
  readonly file: string
  readonly from: string
  readonly target: string
}

function imports(): readonly Import[] {
  return globSync('packages/*/src/**/*.ts').flatMap((file) => {
    const from = file.split('/')[1] ?? ''
    const text = readFileSync(file, 'utf8')
    return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => ({
      file,
      from,
      target: match[1] ?? '',
    }))
  })
}

test('every package stands on a floor', () => {
  const packages = globSync('packages/*/package.json').map((path) => path.split('/')[1] ?? '')
  expect(packages.sort()).toEqual(Object.keys(floors).sort())
})

test('a package imports only packages on a lower floor', () => {
  const wrong = imports().flatMap(({ file, from, target }) => {
    const name = /^@serinus\/([^/]+)$/.exec(target)?.[1]
    if (name === undefined) return target.startsWith('@serinus/') ? [`${file} → ${target}`] : []
    return (floors[name] ?? 99) < (floors[from] ?? -1) ? [] : [`${file} → ${target}`]
  })
  expect(wrong).toEqual([])
})

test('a package is entered by its door only', () => {
  const wrong = imports().flatMap(({ file, from, target }) => {
    if (!target.startsWith('.')) return []
    const path = new URL(target, `file:///${file}`).pathname.slice(1)
    return path.startsWith(`packages/${from}/`) ? [] : [`${file} → ${target}`]
  })
  expect(wrong).toEqual([])
})

test('the planners know no clock, no timer, no chance and nothing of Node.js', () => {
  const wrong = globSync('packages/engine/src/**/*.ts').flatMap((file) => {
    if (file.endsWith('.test.ts')) return []
    const text = readFileSync(file, 'utf8')
    const banned =
      /from 'node:|Date\.now|new Date\(\)|setTimeout|setInterval|Math\.random|process\./
    return banned.test(text) ? [file] : []
  })
  expect(wrong).toEqual([])
})
