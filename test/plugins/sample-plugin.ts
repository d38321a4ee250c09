import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = import.meta.dirname

export type SamplePlugin =
  | {
      readonly kind: 'here'
      readonly file: string
      /** What `go-types` prints: how Go declares the types that travel. */
      readonly goTypes: () => Promise<string>
    }
  /** `why` says what would have to be there. */
  | { readonly kind: 'missing'; readonly why: string }

/**
 * A plugin binary as people build them for Argo Rollouts: `sample/main.go` with upstream's own types and the published
 * go-plugin. Built once into the user's cache (minutes on two cores, and the modules are downloaded).
 */
export async function samplePlugin(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<SamplePlugin> {
  const base = env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const folder = join(base, 'serinus', 'plugins', fingerprint())
  if (!existsSync(folder)) {
    if (!(await hasGo())) return { kind: 'missing', why: 'Go is not on this machine' }
    const obstacle = await build(folder)
    if (obstacle !== null) return { kind: 'missing', why: obstacle }
  }
  return {
    kind: 'here',
    file: join(folder, 'sample'),
    goTypes: async () => (await run(join(folder, 'go-types'), { maxBuffer: 2 ** 26 })).stdout,
  }
}

/** Returns why the modules cannot be had, else null; a program that does not compile is a fault of ours and rejects. */
async function build(folder: string): Promise<string | null> {
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  const flags = ['-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', `${unfinished}/`]
  try {
    await run('nice', ['-n', '15', 'go', 'build', ...flags, './sample', './go-types'], {
      cwd: here,
      env: { ...process.env, CGO_ENABLED: '0' },
      maxBuffer: 2 ** 26,
    })
    // Whole or not at all: another run may be looking.
    renameSync(unfinished, folder)
    return null
  } catch (error) {
    if (existsSync(folder)) return null // that other run was faster
    const [unreachable] =
      /^.*(dial tcp|module lookup disabled|: 40[34] |i\/o timeout).*$/m.exec(
        (error as { stderr?: string }).stderr ?? '',
      ) ?? []
    if (unreachable === undefined) throw error
    return `Go's modules cannot be downloaded: ${unreachable.trim()}`
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

/** Names the folder in the cache, so that a change of the source builds anew. */
function fingerprint(): string {
  const hash = createHash('sha256')
  for (const source of ['go.mod', 'go.sum', 'sample/main.go', 'go-types/main.go'])
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
