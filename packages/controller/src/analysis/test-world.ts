import type { AnalysisRun } from '@serinus/api'
import { EventRecorder, type KubeObject, VirtualClock } from '@serinus/kube'
import { startCaches } from '../rollout/caches.ts'
import { type AnalysisControllerOptions, startAnalysisController } from './analysis-controller.ts'
import { MemoryApi } from './memory-api.ts'

/** 2026-08-17T10:00:00Z */
export const startAt = Date.UTC(2026, 7, 17, 10)

/** Plays every source of metrics. */
type Answering = (url: URL, signal: AbortSignal) => Response | Promise<Response>

/** The analysis controller over an API in memory, in virtual time. `using`: its processes end with the test. */
export function analysisWorld() {
  const processes: AbortController[] = []
  const clock = new VirtualClock(startAt)
  const api = new MemoryApi(clock)
  const errors: unknown[] = []
  return {
    clock,
    api,
    errors,
    /** Starts one controller process; abort the result to kill it. */
    start(
      answer: Answering = () => Response.json(1),
      more: Partial<AnalysisControllerOptions> = {},
    ) {
      const process = new AbortController()
      processes.push(process)
      const { signal } = process
      const client = api.client()
      const caches = startCaches({ client, clock, signal })
      startAnalysisController({
        client,
        clock,
        signal,
        caches,
        recorder: new EventRecorder({ client, clock, signal, component: 'rollouts-controller' }),
        fetch: async (request) => answer(new URL(request.url), request.signal),
        env: {},
        controllerNamespace: 'argo-rollouts',
        onError: (_, error) => errors.push(error),
        ...more,
      })
      return process
    },
    status: (name = 'run') => api.get<AnalysisRun>('analysisruns', `app/${name}`).status,
    seconds: () => (clock.now() - startAt) / 1000,
    [Symbol.dispose]() {
      for (const process of processes) process.abort(new Error('the test is over'))
    },
  }
}

export function put(api: MemoryApi, spec: object, name = 'run', metadata: object = {}): void {
  api.put('analysisruns', {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AnalysisRun',
    metadata: { name, namespace: 'app', ...metadata },
    spec,
  } as KubeObject)
}

/** A metric that calls `http://checks/NAME`. */
export const web = (name: string, more: object = {}, config: object = {}) => ({
  name,
  provider: { web: { url: `http://checks/${name}`, ...config } },
  ...more,
})

export const jobMetric = (more: object = {}) => ({
  name: 'smoke',
  provider: {
    job: { spec: { template: { spec: { containers: [{ name: 'c', image: 'i' }] } } } },
  },
  ...more,
})

export function endJob(api: MemoryApi, type = 'Complete'): void {
  for (const one of api.all('jobs'))
    api.put('jobs', { ...one, status: { conditions: [{ type, status: 'True' }] } } as KubeObject)
}
