import type { KubeObject } from '@serinus/kube'
import { expect, test } from 'vitest'
import { judgeOwnership, type OwnerState } from './garbage-collector.ts'

function judge(
  states: readonly OwnerState[],
  facts: { finalizers?: string[]; hasDependents?: boolean } = {},
) {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', ...(facts.finalizers && { finalizers: facts.finalizers }) },
  }
  const owners = states.map((state, index) => ({
    reference: { apiVersion: 'v1', kind: 'ConfigMap', name: `o${index}`, uid: `u${index}` },
    state,
  }))
  return judgeOwnership({ object, owners, hasDependents: facts.hasDependents ?? false })
}

test('an object lives as long as one of its owners does, and forgets the others', () => {
  expect(judge(['alive', 'alive'])).toEqual({ kind: 'keep' })
  expect(judge(['alive', 'gone'])).toEqual({ kind: 'drop-references', uids: ['u1'] })
  expect(judge(['gone', 'gone'])).toEqual({ kind: 'delete', propagationPolicy: 'Background' })
})

test('an owner that waits for its dependents has them wait for theirs', () => {
  const deletes = (propagationPolicy: string) => ({ kind: 'delete', propagationPolicy })
  expect(judge(['waits-for-dependents'], { hasDependents: true })).toEqual(deletes('Foreground'))
  expect(judge(['waits-for-dependents'])).toEqual(deletes('Background'))
  expect(judge(['gone'], { finalizers: ['orphan'] })).toEqual(deletes('Orphan'))
})
