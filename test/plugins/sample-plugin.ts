import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = import.meta.dirname

export type SamplePlugin =
  | { readonly kind: 'here'; readonly file: string }
  /** `why` says what would have to be there. */
  | { readonly kind: 'missing'; readonly why: string }

/**
 * A plugin binary as people build them for Argo Rollouts: `sample/main.go` with upstream's own types and the published
 * go-plugin. Built once into the user's cache (a minute on two cores, and the modules are downloaded).
 */
export async function samplePlugin(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<SamplePlugin> {
  const folder = join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'serinus', 'plugins')
  const file = join(folder, `sample-${fingerprint()}`)
  if (existsSync(file)) return { kind: 'here', file }
  if (!(await hasGo())) return { kind: 'missing', why: 'Go is not on this machine' }
  mkdirSync(folder, { recursive: true })
  const unfinished = `${file}.${process.pid}`
  const flags = ['-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', unfinished]
  try {
    await run('nice', ['-n', '15', 'go', 'build', ...flags, './sample'], {
      cwd: here,
      env: { ...process.env, CGO_ENABLED: '0' },
      maxBuffer: 2 ** 26,
    })
    // Whole or not at all: another run may be looking.
    renameSync(unfinished, file)
  } finally {
    rmSync(unfinished, { force: true })
  }
  return { kind: 'here', file }
}

/** What `go-types` prints: how Go declares the types that travel. */
export async function goTypes(): Promise<string> {
  const { stdout } = await run('go', ['run', '-mod=readonly', './go-types'], {
    cwd: here,
    env: { ...process.env, CGO_ENABLED: '0' },
    maxBuffer: 2 ** 26,
  })
  return stdout
}

/** Names the file in the cache, so that a change of the source builds anew. */
function fingerprint(): string {
  const hash = createHash('sha256')
  for (const source of ['go.mod', 'go.sum', 'sample/main.go'])
    hash.update(readFileSync(join(here, source)))
  return hash.digest('hex').slice(0, 16)
}

async function hasGo(): Promise<boolean> {
  try {
    await run('go', ['version'])
    return true
  } catch {
    return false
  }
}
