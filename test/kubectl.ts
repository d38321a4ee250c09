import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { test } from 'vitest'
import { parse, stringify } from 'yaml'

interface KubectlOutput {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Skips by name where kubectl is not installed. */
export const testWithKubectl = test.skipIf(!hasKubectl())

interface Place {
  readonly kubeconfig?: string
  readonly namespace: string
}

/** Runs kubectl in a namespace, with the plugin on PATH and a home of its own. */
export async function runKubectl(
  place: Place,
  args: readonly string[],
  input = '',
): Promise<KubectlOutput> {
  const { child, tidy } = spawnKubectl(place, args)
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  child.stdin.end(input)
  const code = await new Promise<number>((resolve) =>
    child.once('close', (code) => resolve(code ?? -1)),
  )
  tidy()
  return { code, out, err }
}

/** The same for a command that goes on until it is disposed. */
export function startKubectl(
  place: Place,
  args: readonly string[],
): Disposable & {
  /** Resolves with the first group of the first line printed that fits; rejects when the command ends before. */
  line(pattern: RegExp): Promise<string>
} {
  const { child, tidy } = spawnKubectl(place, args)
  return {
    line: (pattern) =>
      new Promise((resolve, reject) => {
        let out = ''
        child.once('close', () => reject(new Error(`kubectl ${args.join(' ')} ended: ${out}`)))
        child.stdout.on('data', (chunk: Buffer) => {
          out += chunk.toString()
          const [, found] = pattern.exec(out) ?? []
          if (found !== undefined) resolve(found)
        })
      }),
    [Symbol.dispose]() {
      child.kill()
      tidy()
    },
  }
}

function spawnKubectl({ kubeconfig, namespace }: Place, args: readonly string[]) {
  if (!kubeconfig) throw new Error('this cluster has no socket: ask for { kubectl: true }')
  const home = mkdtempSync(join(tmpdir(), 'serinus-kubectl-'))
  symlinkSync(
    resolve('packages/cli/bin/kubectl-argo-rollouts.mjs'),
    join(home, 'kubectl-argo-rollouts'),
  )
  writeFileSync(join(home, 'kubeconfig'), inNamespace(kubeconfig, namespace), { mode: 0o600 })
  const child = spawn('kubectl', args, {
    env: {
      ...process.env,
      KUBECONFIG: join(home, 'kubeconfig'),
      HOME: home,
      PATH: [home, resolve('node_modules/.bin'), process.env['PATH']].join(delimiter),
      TERM: 'dumb',
    },
  })
  return { child, tidy: () => rmSync(home, { recursive: true, force: true }) }
}

/** The same with another namespace for what names none. */
function inNamespace(kubeconfig: string, namespace: string): string {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as {
    readonly contexts: readonly { readonly name: string; readonly context: object }[]
  }
  const contexts = config.contexts.map(({ name, context }) => ({
    name,
    context: { ...context, namespace },
  }))
  return stringify({ ...config, contexts })
}

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
