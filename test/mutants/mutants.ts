/** A fault that Argo Rollouts once had, put into our sources, and the tests that must notice it. */
export interface Mutant {
  /** Number of the issue in its tracker. */
  readonly issue: number
  readonly fault: string
  readonly edits: readonly Edit[]
  /** Titles of tests that fail with the fault and pass without it, by file. */
  readonly tests: Readonly<Record<string, readonly string[]>>
}

/** `find` occurs exactly once in `file`. */
interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

const engine = 'packages/engine/src'

export const mutants: readonly Mutant[] = [
  {
    issue: 4626,
    fault: 'a router that fails ends the pass before the deadline is judged',
    edits: [
      {
        file: `${engine}/canary/plan-canary.ts`,
        find: '  recordWeights(facts, draft, routes)\n',
        replace: `  if (snapshot.failures.some(({ effect }) => effect === 'routes')) {
    return planOf(draft, { routes, warnings })
  }
  recordWeights(facts, draft, routes)
`,
      },
    ],
    tests: {
      [`${engine}/rollout/progress.test.ts`]: [
        'a router that refuses every change keeps no deadline from being told',
      ],
    },
  },
  {
    issue: 2982,
    fault: 'the abort of a promoted Rollout sets and unsets the scale-down deadline without end',
    edits: [
      {
        file: `${engine}/rollout/verdict.ts`,
        find: '  if (isPromoted(status)) {\n    status.abort = undefined\n    status.abortedAt = undefined\n    return\n  }\n',
        replace: '',
      },
      {
        file: `${engine}/canary/scale.ts`,
        find: '!facts.routed || !stable || stable === newSet || facts.missing',
        replace: '!facts.routed || !stable || facts.missing',
      },
      {
        file: `${engine}/canary/scale.ts`,
        find: '  if (stable && stable !== newSet) {\n',
        replace: '  if (stable) {\n',
      },
    ],
    tests: {
      [`${engine}/canary/abort.test.ts`]: [
        'an abort of a Rollout that is fully promoted is taken back, and no pod, deadline or Service changes',
      ],
    },
  },
  {
    issue: 3078,
    fault: 'after an abort two rules lead the canary Service to and fro',
    edits: [
      {
        file: `${engine}/canary/services.ts`,
        find: '  return !facts.routed || (facts.effectiveWeight === 0 && isSettled(facts)) ? stable : null\n',
        replace: `  const selected = selectedHash(serviceNamed(facts, facts.services.canary))
  return selected === stable?.hash && facts.newSet.available > 0 ? facts.newSet : stable
`,
      },
    ],
    tests: {
      [`${engine}/canary/routed.test.ts`]: [
        'after an abort the canary Service is switched exactly once',
      ],
    },
  },
  {
    issue: 4973,
    fault: 'an aborted canary grows again when an autoscaler resizes the Rollout',
    edits: [
      {
        file: `${engine}/rollout/scale-down-delay.ts`,
        find: '    waitForDeadline(draft, newSet, newSet.deadline)\n    return newSet.spec\n',
        replace:
          '    waitForDeadline(draft, newSet, newSet.deadline)\n    return Math.ceil((newSet.spec * facts.replicas) / Math.max(1, stable?.spec ?? 1))\n',
      },
    ],
    tests: {
      [`${engine}/canary/abort.test.ts`]: [
        'an aborted canary stays as small as it is when an autoscaler asks for more pods',
      ],
    },
  },
  {
    issue: 4898,
    fault: 'with dynamicStableScale and an abort delay canary and stable wait for each other',
    edits: [
      {
        file: `${engine}/canary/dynamic-stable-scale.ts`,
        find: '    ? missing\n    : Math.max(missing, newSet.available)\n',
        replace:
          '    ? Math.max(missing, newSet.available)\n    : Math.max(missing, newSet.available)\n',
      },
    ],
    tests: {
      [`${engine}/canary/abort.test.ts`]: [
        'with dynamicStableScale and an abort delay the canary gives up every step, and goes when stable has all pods',
      ],
    },
  },
  {
    issue: 1774,
    fault: 'nothing takes the place of a stable version whose pods are not available',
    edits: [
      {
        file: `${engine}/canary/replica-counts.ts`,
        find: '(input.stable ? present(stable, growing) : 0)',
        replace: '(input.stable ? present(stable, false) : 0)',
      },
    ],
    tests: {
      [`${engine}/canary/capacity.test.ts`]: [
        'a good version takes the place of a stable one that has no pod available',
      ],
    },
  },
  {
    issue: 3988,
    fault: 'the deadline noted on a drained version keeps a later one from its own',
    edits: [
      {
        file: `${engine}/rollout/progress.ts`,
        find: '(set) => set.spec > 0 && (set.deadline ?? 0) > facts.now',
        replace: '(set) => (set.deadline ?? 0) > facts.now',
      },
    ],
    tests: {
      [`${engine}/rollout/progress.test.ts`]: [
        'a deadline that Argo Rollouts left on a drained version holds up no later update',
      ],
    },
  },
  {
    issue: 1677,
    fault: 'pods of an old version count as progress of the new one',
    edits: [
      {
        file: `${engine}/rollout/progress.ts`,
        find: 'facts.newSet.ready > 0 || facts.others.every((set) => set.ready === 0)',
        replace: 'facts.newSet.ready >= 0',
      },
    ],
    tests: {
      [`${engine}/rollout/progress.test.ts`]: [
        'pods of a version in between that come and go do not keep a broken one from its deadline',
      ],
    },
  },
  {
    issue: 4424,
    fault: 'a full promotion with more pods than replicas asks for a weight of 200',
    edits: [
      {
        file: `${engine}/canary/routing.ts`,
        find: `facts.replicas === 0) return effective
    return Math.floor(
      (facts.max * Math.min(facts.newSet.available, facts.replicas)) / facts.replicas,`,
        replace: `facts.replicas === 0) return effective
    return Math.floor(
      (facts.max * facts.newSet.available) / facts.replicas,`,
      },
    ],
    tests: {
      [`${engine}/canary/capacity.test.ts`]: [
        'a full promotion asks for no weight beyond the pods, whatever size was pinned before',
      ],
    },
  },
  {
    issue: 2050,
    fault: 'stable shrinks before the traffic has left it',
    edits: [
      {
        file: `${engine}/canary/facts.ts`,
        find: 'const forStable = isStable ? share(facts.max - low) : 0',
        replace: 'const forStable = 0',
      },
    ],
    tests: {
      [`${engine}/canary/dynamic-stable-scale.test.ts`]: [
        'a share that no router confirms is given time to settle before stable shrinks behind it',
      ],
    },
  },
  {
    issue: 1761,
    fault: 'a changed selector is accepted and orphans the ReplicaSets that run',
    edits: [
      {
        file: 'packages/api/src/schema/pod-template.ts',
        find: "{ message: '.spec.selector is immutable', rule: 'self == oldSelf' }",
        replace: "{ message: '.spec.selector is immutable', rule: 'true' }",
      },
    ],
    tests: {
      'packages/api/src/crds.test.ts': [
        'the selector of a Rollout carries the rule that it never changes',
      ],
    },
  },
  {
    issue: 4681,
    fault: 'a Deployment gives way to the first revision only',
    edits: [
      {
        file: `${engine}/rollout/workload-scale.ts`,
        find: '  if (size === 0) return\n',
        replace: '  if (size === 0 || facts.newSet.revision !== 1) return\n',
      },
    ],
    tests: {
      'test/workload-ref.test.ts': [
        'with onsuccess a Deployment keeps its pods until the Rollout is healthy, whatever its revision',
      ],
    },
  },
  {
    issue: 2119,
    fault: 'an abort takes the pods of the canary while they still carry its share',
    edits: [
      {
        file: `${engine}/canary/facts.ts`,
        find: 'const forCanary = isCanary ? Math.min(share(high), pinnedPods(facts)) : 0',
        replace:
          'const isKept = isCanary && !facts.snapshot.rollout.status?.abort\n  const forCanary = isKept ? Math.min(share(high), pinnedPods(facts)) : 0',
      },
    ],
    tests: {
      [`${engine}/canary/dynamic-stable-scale.test.ts`]: [
        'an abort grows stable back step by step, and the weight follows its pods',
      ],
    },
  },
  {
    issue: 3414,
    fault: 'old pods in their scale-down delay are taken for a lack of progress',
    edits: [
      {
        file: `${engine}/rollout/progress.ts`,
        find: '  if (kept.length > 0) return false\n',
        replace: '',
      },
    ],
    tests: {
      [`${engine}/rollout/progress.test.ts`]: [
        'old pods that wait for the end of their delay are not late',
      ],
    },
  },
  {
    issue: 4541,
    fault: 'with 0 replicas a Service stays with a version that is gone',
    edits: [
      {
        file: `${engine}/canary/services.ts`,
        find: '    ? to.available > 0 || facts.replicas === 0\n',
        replace: '    ? to.available > 0\n',
      },
    ],
    tests: {
      [`${engine}/canary/capacity.test.ts`]: [
        'with 0 replicas both Services lead to the newest version and to no dead one',
      ],
    },
  },
]
