import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  configMap,
  configMaps,
  definitions,
  embeddedApiUnderTest,
  widget,
  widgetDefinition,
  widgets,
} from './api-under-test.ts'
import { SqliteJournal } from './sqlite-journal.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const file = () => join(folder, 'cluster.db')

test('a cluster comes back with its objects, kinds, version and credentials', async () => {
  const first = new SqliteJournal(file())
  const before = embeddedApiUnderTest({ journal: first })
  await before.call('POST', configMaps, configMap('kept', { a: '1' }))
  await before.call('POST', configMaps, configMap('gone'))
  await before.call('DELETE', `${configMaps}/gone`)
  await before.call(
    'POST',
    definitions,
    widgetDefinition({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
  )
  await before.call('POST', widgets, widget('one', { size: 3 }))
  const version = before.server.store.version
  const token = before.server.authenticator.adminToken
  first.close()

  const second = new SqliteJournal(file())
  const after = embeddedApiUnderTest({ journal: second })
  expect((await after.call('GET', `${configMaps}/kept`)).body.data).toEqual({ a: '1' })
  expect((await after.call('GET', `${configMaps}/gone`)).status).toBe(404)
  expect((await after.call('GET', `${widgets}/one`)).body.spec).toEqual({ size: 3 })
  expect(after.server.store.version).toBe(version)
  expect(after.server.authenticator.adminToken).toBe(token)
  second.close()
})

test('a watch from before the restart continues where nothing was missed, else gets 410', async () => {
  const first = new SqliteJournal(file())
  const before = embeddedApiUnderTest({ journal: first })
  await before.call('POST', configMaps, configMap('one'))
  const version = before.server.store.version
  first.close()
  const second = new SqliteJournal(file())
  const { server } = embeddedApiUnderTest({ journal: second })
  const maps = { group: '', plural: 'configmaps' }
  using _watch = server.store.watch(maps, { fromVersion: version }, () => undefined)
  expect(() => server.store.watch(maps, { fromVersion: version - 1 }, () => undefined)).toThrow(
    'too old resource version',
  )
  second.close()
})

test('after kill -9 amid creates every acknowledged object is there [embedded-cluster 6]', async () => {
  const here = (name: string) => new URL(name, import.meta.url).href
  const program = `
    import { RealClock, SeededRandom, resources } from '@serinus/kube'
    import { ApiServer } from '${here('./server.ts')}'
    import { SqliteJournal } from '${here('./sqlite-journal.ts')}'
    const journal = new SqliteJournal(${JSON.stringify(file())})
    const server = new ApiServer({ clock: new RealClock(), random: new SeededRandom(1), journal })
    console.log('token ' + server.authenticator.adminToken)
    const writer = async (id) => {
      for (let count = 0; ; count++) {
        const metadata = { name: 'n-' + id + '-' + count, namespace: 'default' }
        await server.client.create(resources.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
        console.log(metadata.name)
      }
    }
    await Promise.all([0, 1, 2, 3].map(writer))
  `
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: string[] = []
  let token = ''
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) {
    if (line.startsWith('token ')) token = line.slice(6)
    else acknowledged.push(line)
    if (acknowledged.length === 1000) child.kill('SIGKILL')
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(1000)

  const journal = new SqliteJournal(file())
  const { server } = embeddedApiUnderTest({ journal })
  const stored = new Set(
    server.store.list({ group: '', plural: 'configmaps' }).map(({ metadata }) => metadata.name),
  )
  expect(acknowledged.filter((name) => !stored.has(name))).toEqual([])
  const list = await server.handle(
    new Request(`http://cluster${configMaps}`, { headers: { authorization: `Bearer ${token}` } }),
  )
  expect(list.status).toBe(200)
  journal.close()
}, 20_000)
