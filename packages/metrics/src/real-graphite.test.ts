import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { graphite } from './graphite.ts'
import { measureInput } from './test-input.ts'
import { socketFetch } from './test-server.ts'

/** Debian's: its packages are for no other. */
const python = '/usr/bin/python3'
const isInstalled = spawnSync(python, ['-c', 'import graphite, whisper']).status === 0

interface RealGraphite {
  readonly address: string
  /** Epoch seconds of the first of three points, a minute apart. */
  readonly first: number
  close(): Promise<void>
}

async function startGraphite(): Promise<RealGraphite> {
  const folder = mkdtempSync(join(tmpdir(), 'serinus-graphite-'))
  const script = join(import.meta.dirname, 'fixtures/graphite-server.py')
  const child = spawn(python, [script, folder], { stdio: ['ignore', 'pipe', 'ignore'] })
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`Graphite ended with ${code}`)))
  })
  const [port, first] = line.split(' ')
  return {
    address: `http://127.0.0.1:${port}`,
    first: Number(first),
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}

// Skipped where Debian's packages graphite-web and python3-whisper are not installed.
describe.skipIf(!isInstalled)('a real Graphite', () => {
  let server: RealGraphite
  beforeAll(async () => {
    server = await startGraphite()
  }, 60_000)
  afterAll(() => server?.close())

  const asked = (target: string, successCondition: string) => {
    const { address, first } = server
    const query = `target=${target}\n&from=${first - 60}&until=${first + 180}`
    const provider = { graphite: { address, query } }
    const input = measureInput({ successCondition, provider }, { fetch: socketFetch })
    return graphite.run(input)
  }

  test('takes a query of several lines and answers with points, of which the last is still empty', async () => {
    const target = 'asPercent(\n  shop.ok, shop.all\n)'
    expect(await asked(target, 'all(result, # >= 90) && last(result) == 97')).toEqual({
      kind: 'done',
      phase: 'Successful',
      value: '[90.000000,95.000000,97.000000]',
    })
  })

  test('finds a series whose name holds a blank, in quotes', async () => {
    const target = 'alias( group( shop.ok ), "share of  good")'
    expect(await asked(`${target}&target=shop.all`, 'len(result) == 3')).toMatchObject({
      phase: 'Successful',
      message: 'only the first of 2 targets is judged: share of  good',
    })
  })

  test('knows nothing of a metric that nobody wrote', async () => {
    await expect(asked('shop.nothing', 'true')).rejects.toThrow(
      /^no values found \(Graphite at http:\/\/127\.0\.0\.1:\d+\/render\)$/,
    )
  })
})
