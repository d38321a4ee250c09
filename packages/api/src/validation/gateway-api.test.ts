import { expect, test } from 'vitest'
import { parseRollout } from '../parse.ts'
import { problemText } from '../problem.ts'
import { validateRollout } from './rollout.ts'

const plugin = 'argoproj-labs/gatewayAPI'
const routing = 'spec.strategy.canary.trafficRouting'
const headerStep = {
  setHeaderRoute: { name: 'h', match: [{ headerName: 'x', headerValue: { exact: 'y' } }] },
}
const mirrorStep = { setMirrorRoute: { name: 'h', match: [{ path: { prefix: '/' } }] } }

function problemsOf(trafficRouting: object, canary: object = {}): readonly string[] {
  const { value } = parseRollout({
    metadata: { name: 'app', namespace: 'demo' },
    spec: {
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: { containers: [{ name: 'app', image: 'app:v1' }] },
      },
      strategy: {
        canary: {
          stableService: 'app-stable',
          canaryService: 'app-canary',
          trafficRouting: { managedRoutes: [{ name: 'h' }], ...trafficRouting },
          ...canary,
        },
      },
    },
  })
  return validateRollout(value).map(problemText)
}

test.each([
  ['gatewayAPI', (block: object) => ({ gatewayAPI: block })],
  ['its plugin', (block: object) => ({ plugins: { [plugin]: block } })],
])('%s may do all that a plugin may', (_, spelled) => {
  const steps = [{ setWeight: 500 }, headerStep, mirrorStep]
  const block = { httpRoute: 'web', mirror: true }
  expect(problemsOf({ ...spelled(block), maxTrafficWeight: 1000 }, { steps })).toEqual([])
  const pingPong = { pingService: 'ping', pongService: 'pong' }
  const services = { stableService: undefined, canaryService: undefined }
  expect(problemsOf(spelled(block), { pingPong, ...services })).toEqual([])
})

test('both names of the Gateway API together are refused', () => {
  const block = { httpRoute: 'web' }
  expect(problemsOf({ gatewayAPI: block, plugins: { [plugin]: block } })).toEqual([
    `${routing}.gatewayAPI: Forbidden: set together with plugins[${plugin}], which is the same; remove one of them`,
  ])
})

test('settings of the plugin are read like any others, its unknown keys apart', () => {
  const block = { httpRoute: 'web', configMap: 'x', useHeaderRoutes: true }
  expect(problemsOf({ plugins: { [plugin]: block } })).toEqual([])
  expect(problemsOf({ plugins: { [plugin]: { httpRoute: 7 } } })).toEqual([
    `${routing}.plugins[${plugin}].httpRoute: Invalid value: 7: must be of type string: "number"`,
  ])
})

test('a block without routes is told what it may name', () => {
  expect(problemsOf({ plugins: { [plugin]: { namespace: 'demo' } } })).toEqual([
    `${routing}.plugins[${plugin}]: Required value: No routes configured. At least one of 'httpRoutes', 'grpcRoutes', 'tcpRoutes', 'tlsRoutes', 'httpRoute', 'grpcRoute', 'tcpRoute' or 'tlsRoute' must be set`,
  ])
  expect(problemsOf({ gatewayAPI: { httpRouteSelector: { matchLabels: { a: 'b' } } } })).toEqual([])
})

test('both Services are needed', () => {
  expect(problemsOf({ gatewayAPI: { httpRoute: 'web' } }, { canaryService: undefined })).toEqual([
    expect.stringContaining('Canary service and Stable service must to be set'),
  ])
})

test('a step that no route would take is refused', () => {
  const listed = { httpRoutes: [{ name: 'web' }] }
  expect(problemsOf({ gatewayAPI: listed }, { steps: [headerStep, mirrorStep] })).toEqual([
    expect.stringContaining('useHeaderRoutes: true'),
    expect.stringContaining('trafficRouting.gatewayAPI.mirror: true'),
  ])
  const raw = { tcpRoute: 'raw', mirror: true }
  expect(problemsOf({ gatewayAPI: raw }, { steps: [mirrorStep] })).toEqual([
    expect.stringContaining('copies requests of HTTPRoutes only'),
  ])
  const byPrefix = { setMirrorRoute: { name: 'h', match: [{ method: { prefix: 'G' } }] } }
  const web = { httpRoute: 'web', mirror: true }
  expect(problemsOf({ gatewayAPI: web }, { steps: [byPrefix] })).toEqual([
    expect.stringContaining('by their exact names only'),
  ])
})
