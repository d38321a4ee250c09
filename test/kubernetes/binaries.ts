import { execFile } from 'node:child_process'
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = import.meta.dirname

/** Each program of the control plane and the Go package that it is built from. */
const programs = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
} as const

type Program = keyof typeof programs
const names = Object.keys(programs) as Program[]

export type Binaries =
  | { readonly kind: 'here'; readonly folder: string }
  /** `why` says what would have to be there. */
  | { readonly kind: 'missing'; readonly why: string }

/**
 * The folder with etcd, kube-apiserver and kube-controller-manager: that of `KUBEBUILDER_ASSETS` where it has all
 * three, else the user's cache, which is filled with the Go toolchain once (ten minutes on two cores).
 */
export async function controlPlaneBinaries(
  env: Readonly<Record<string, string | undefined>>,
  tell: (text: string) => void,
): Promise<Binaries> {
  const assets = env['KUBEBUILDER_ASSETS']
  const lacking = assets ? names.filter((name) => !isProgram(join(assets, name))) : []
  if (assets && lacking.length === 0) return { kind: 'here', folder: assets }
  const folder = join(cacheFolder(env), versions())
  const toBuild = names.filter((name) => !isProgram(join(folder, name)))
  if (toBuild.length === 0) return { kind: 'here', folder }
  if (!(await hasGo())) {
    const assetsSay = assets
      ? `KUBEBUILDER_ASSETS has no ${lacking.join(' and no ')}`
      : 'KUBEBUILDER_ASSETS is not set'
    return { kind: 'missing', why: `Go is not on this machine and ${assetsSay}` }
  }
  mkdirSync(folder, { recursive: true })
  for (const name of toBuild) {
    tell(`building ${name} into ${folder} (once; minutes)\n`)
    await build(name, folder)
  }
  return { kind: 'here', folder }
}

async function build(name: Program, folder: string): Promise<void> {
  const unfinished = join(folder, `.${name}.${process.pid}`)
  const version = kubernetesVersion()
  const [major, minor] = version.slice(1).split('.')
  const stamps = { gitVersion: version, gitMajor: major, gitMinor: minor }
  const flags = Object.entries(stamps).map(
    ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
  )
  try {
    await run(
      'nice',
      [
        ...['-n', '15', 'go', 'build', '-mod=readonly', '-trimpath'],
        ...['-ldflags', ['-s', '-w', ...flags].join(' ')],
        ...['-o', unfinished, programs[name]],
      ],
      { cwd: here, env: { ...process.env, CGO_ENABLED: '0' }, maxBuffer: 2 ** 26 },
    )
    // Whole or not at all: another run may be looking.
    renameSync(unfinished, join(folder, name))
  } finally {
    rmSync(unfinished, { force: true })
  }
}

function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  const base =
    env['XDG_CACHE_HOME'] ||
    (process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Caches')
      : join(homedir(), '.cache'))
  return join(base, 'serinus', 'kubernetes')
}

/** Names the folder in the cache, so that a change of go.mod builds anew. */
function versions(): string {
  return `${kubernetesVersion()}-etcd-${moduleVersion('go.etcd.io/etcd/server/v3')}`
}

/** `v1.36.3`: the release whose control plane the tests run against. */
export function kubernetesVersion(): string {
  return moduleVersion('k8s.io/kubernetes')
}

function moduleVersion(module: string): string {
  const text = readFileSync(join(here, 'go.mod'), 'utf8')
  const line = text.split('\n').find((candidate) => candidate.trim().startsWith(`${module} v`))
  if (!line) throw new Error(`test/kubernetes/go.mod does not require ${module}`)
  return line.trim().split(' ')[1] ?? ''
}

async function hasGo(): Promise<boolean> {
  try {
    await run('go', ['version'])
    return true
  } catch {
    return false
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
