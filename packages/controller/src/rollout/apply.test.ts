import { kinds } from '@serinus/api'
import type { Write } from '@serinus/engine'
import { type KubeObject, VirtualClock } from '@serinus/kube'
import { expect, test } from 'vitest'
import { MemoryApi } from '../analysis/memory-api.ts'
import { applyWrites } from './apply.ts'

const metrics = [{ name: 'm', provider: { web: { url: 'http://x' } } }]

function runOf(facts: { owner?: string; spec?: object; status?: object } = {}): KubeObject {
  const { owner = 'uid-app', spec = { metrics }, status } = facts
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: {
      name: 'app-abc-2-3',
      namespace: 'default',
      ownerReferences: [
        {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'Rollout',
          name: 'app',
          uid: owner,
          controller: true,
        },
      ],
    },
    spec,
    ...(status ? { status } : {}),
  } as KubeObject
}

async function createBeside(present: KubeObject) {
  const api = new MemoryApi(new VirtualClock(0))
  api.put('analysisruns', present)
  const write = { kind: 'create', id: 'run', resource: kinds.analysisRuns, object: runOf() }
  const [outcome] = await applyWrites(api.client(), [write as Write])
  return outcome
}

test('a run under way that asks the same for the same Rollout is taken over, also where no cache shows it yet [analysis-and-experiments 3]', async () => {
  const present = runOf({ spec: { metrics, terminate: false }, status: { phase: 'Running' } })
  expect(await createBeside(present)).toMatchObject({
    kind: 'done',
    object: { metadata: { name: 'app-abc-2-3' }, status: { phase: 'Running' } },
  })
})

test.each([
  ['has its verdict', { status: { phase: 'Failed' } }],
  ['asks something else', { spec: { metrics: [] } }],
  ['belongs to somebody else', { owner: 'uid-other' }],
])('a run of that name that %s is not taken for the new one', async (_, facts) => {
  expect(await createBeside(runOf(facts))).toMatchObject({
    kind: 'failed',
    reason: 'AlreadyExists',
  })
})
