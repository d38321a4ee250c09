import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { startChild } from './child.ts'

/** A plugin that starts a program of its own, which stays until it is ended: it holds a connection to us. */
async function family() {
  const folder = mkdtempSync(join(tmpdir(), 'serinus-family-'))
  const path = join(folder, 'socket')
  const server = createServer()
  await once(server.listen(path), 'listening')
  const target = join(folder, 'plugin')
  writeFileSync(
    target,
    `#!${process.execPath}
const { spawn } = require('node:child_process')
const descendant = \`require('node:net').connect(\${JSON.stringify(process.argv[2])}).resume()\`
spawn(process.execPath, ['-e', descendant], { stdio: 'ignore' })
process.stdin.resume().on('end', () => process.exit(0))
`,
    { mode: 0o755 },
  )
  const born = once(server, 'connection') as Promise<[Socket]>
  return {
    target,
    path,
    /** Resolves once the descendant is there, with a promise of its end. */
    born: async () => {
      const [socket] = await born
      socket.on('error', () => {})
      return { ended: once(socket, 'close') }
    },
    [Symbol.dispose]() {
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

test.each(['is killed', 'ends by itself'])(
  'what a plugin has started does not outlive it when it %s',
  async (how) => {
    using plugin = await family()
    const child = await startChild(
      {
        target: plugin.target,
        args: [plugin.path],
        env: process.env,
        log: () => {},
        clock: new VirtualClock(0),
      },
      { env: {}, onLine: () => {} },
    )
    const descendant = await plugin.born()
    if (how === 'is killed') child.kill(new Error('nobody wants it'))
    else child.close()
    await descendant.ended
    expect((await child.ended).message).toBe(
      how === 'is killed'
        ? 'nobody wants it; the plugin process ended (signal SIGKILL)'
        : 'the plugin process ended (exit status 0)',
    )
  },
)

test('no plugin outlives a controller that crashes', async () => {
  using plugin = await family()
  const source = `
import { startChild } from ${JSON.stringify(join(import.meta.dirname, 'child.ts'))}
import { RealClock } from '@serinus/kube'
await startChild(
  { target: ${JSON.stringify(plugin.target)}, args: [${JSON.stringify(plugin.path)}], env: process.env, log() {}, clock: new RealClock() },
  { env: {}, onLine() {} },
)
process.stdin.once('data', () => { throw new Error('a bug') })
`
  const controller = spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: import.meta.dirname,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const crash = once(controller, 'exit')
  const descendant = await plugin.born()
  controller.stdin.write('now')
  await descendant.ended
  expect((await crash)[0]).toBe(1)
})
