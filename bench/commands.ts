import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kinds } from '@serinus/api'
import { writePrivate } from '../packages/cli/src/serinus/local-cluster.ts'
import type { StoredRollout } from '../test/virtual-cluster.ts'
import { type Figure, quantile } from './figure.ts'
import { realCluster } from './real-cluster.ts'
import { canary, isHealthy } from './rollouts.ts'

/** `kubectl argo rollouts get rollout` where a namespace holds 1,000 of them. */
export async function getRollout(): Promise<readonly Figure[]> {
  await using world = await realCluster()
  const names = Array.from({ length: 1000 }, (_, n) => `app-${n}`)
  const missing = new Set(names)
  const rollouts = await world.follow<StoredRollout>(kinds.rollouts)
  const healthy = rollouts.next((rollout) => {
    if (isHealthy(rollout)) missing.delete(rollout.metadata.name)
    return missing.size === 0
  })
  for (const name of names) {
    await world.apply(canary(name, { replicas: 0, steps: [{ setWeight: 50 }] }))
  }
  await healthy
  const folder = mkdtempSync(join(tmpdir(), 'serinus-bench-'))
  const kubeconfig = join(folder, 'kubeconfig')
  writePrivate(kubeconfig, world.local.addresses.kubeconfig)
  const samples: number[] = []
  try {
    for (let n = 0; n < 11; n++) {
      const args = ['packages/cli/bin/kubectl-argo-rollouts.mjs', 'get', 'rollout', 'app-1']
      const { endedMs, output } = await runCommand(args, { KUBECONFIG: kubeconfig })
      if (!/Name:\s+app-1/.test(output)) throw new Error(`not the Rollout:\n${output}`)
      samples.push(endedMs)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return [
    {
      name: 'get-rollout-among-1000',
      value: quantile(samples.slice(1), 0.5),
      unit: 'ms',
      target: 300,
      better: 'lower',
      method:
        'wall time of the command from spawn to exit, median of 10 after one that fills the compile cache; 1,000 Rollouts of no replicas in the namespace, the cluster in this process (upstream: 450)',
    },
  ]
}

/** What a newcomer waits for after `npm start`. */
export async function demo(): Promise<readonly Figure[]> {
  const command = ['packages/cli/bin/serinus.mjs', 'demo', '--fast']
  const { firstMs, endedMs } = await runCommand(command, {})
  return [
    {
      name: 'demo-to-first-line',
      value: firstMs,
      unit: 'ms',
      target: 5000,
      better: 'lower',
      method: 'from spawning `serinus demo --fast` until its first output',
    },
    {
      name: 'demo-to-end',
      value: endedMs,
      unit: 'ms',
      target: 90_000,
      better: 'lower',
      method: 'the same run until its exit: two releases of the production article in virtual time',
    },
  ]
}

/** Milliseconds from spawn to the first output and to the exit; rejects when the command fails. */
function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly firstMs: number; readonly endedMs: number; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let firstMs = Number.NaN
    let output = ''
    child.stdout.on('data', (text: Buffer) => {
      if (output === '') firstMs = performance.now() - began
      output += text.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve({ firstMs, endedMs: performance.now() - began, output })
      else reject(new Error(`${args.join(' ')} ended with ${code}:\n${output}`))
    })
  })
}
