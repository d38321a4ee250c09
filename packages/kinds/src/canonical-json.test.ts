import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from './canonical-json.ts'
import objects from './fixtures/objects.json' with { type: 'json' }
import templates from './fixtures/pod-templates.json' with { type: 'json' }
import { type FieldType, kindType, structType } from './types.ts'

const template = 'core/v1.PodTemplateSpec'

const golden = [
  '{"metadata":{"labels":{"app":"my-app"}},"spec":{"containers":[{"name":"app","image":"my-app:v1","ports":[{"containerPort":8080,"protocol":"TCP"}],"resources":{}}]}}',
  '{"metadata":{"labels":{"app":"my-app"}},"spec":{"containers":[{"name":"app","image":"my-app:v2","ports":[{"containerPort":8080,"protocol":"TCP"}],"resources":{}}]}}',
  '{"metadata":{"labels":{"app":"my-app"}},"spec":{"containers":[{"name":"app","image":"my-app:v1","ports":[{"containerPort":8080}],"resources":{}}]}}',
  '{"metadata":{},"spec":{"containers":[{"name":"c","image":"i","resources":{}}]}}',
  '{"metadata":{"labels":{"app":"q","z":"1"},"annotations":{"note":"a\\u003cb \\u0026 c\\u003ed \\u2028 é"}},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","image":"i","command":["sh","-c","echo $A \\u0026\\u0026 exit 1"],"env":[{"name":"A"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],"resources":{"limits":{"cpu":"500m","memory":"1536Mi"},"requests":{"cpu":"1","memory":"1Gi"}},"securityContext":{"privileged":false}}],"terminationGracePeriodSeconds":0}}',
]

test.each(golden)('the golden template %# prints as upstream hashes it', (json) => {
  expect(canonicalJson(template, JSON.parse(json))).toBe(json)
})

test('the last golden template may be written in any order and in any spelling', () => {
  const written = {
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          securityContext: { privileged: false },
          resources: {
            requests: { memory: '1024Mi', cpu: '1000m' },
            limits: { memory: '1.5Gi', cpu: '0.5' },
          },
          env: [
            { value: '', name: 'A' },
            { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          ],
          command: ['sh', '-c', 'echo $A && exit 1'],
          args: [],
          image: 'i',
          name: 'c',
          typo: true,
        },
      ],
      volumes: [{ emptyDir: {}, name: 'v' }],
      hostNetwork: false,
    },
    metadata: {
      annotations: { note: 'a<b & c>d \u2028 é' },
      labels: { z: '1', app: 'q' },
      creationTimestamp: null,
    },
  }
  expect(canonicalJson(template, written)).toBe(golden[4])
})

test('libraries before 0.34 print an absent creation time as null', () => {
  const value = JSON.parse(golden[3] ?? '')
  expect(canonicalJson(template, value, { creationTimestampNull: true })).toBe(
    '{"metadata":{"creationTimestamp":null},"spec":{"containers":[{"name":"c","image":"i","resources":{}}]}}',
  )
})

test('a template without containers prints null for the list, as Go does', () => {
  expect(canonicalJson(template, {})).toBe('{"metadata":{},"spec":{"containers":null}}')
})

test.each(templates)('Go prints pod template %# the same way', ({ input, output }) => {
  expect(canonicalJson(template, input)).toBe(output)
})

test.each(
  objects.map(
    ({ object, typed }) => [`${object.apiVersion} ${object.kind}`, object, typed] as const,
  ),
)('%s prints as its Go struct does', (_name, object, typed) => {
  const ref = kindType(object.apiVersion, object.kind) ?? ''
  expect(canonicalJson(ref, object)).toBe(typed)
  expect(canonicalJson(ref, JSON.parse(typed))).toBe(typed)
})

test('there are enough real templates to compare with', () => {
  expect(templates.length).toBeGreaterThanOrEqual(30)
})

test('a fraction given for an integer is cut off and a wrong type counts as absent', () => {
  const value = { spec: { containers: [{ name: 5, ports: [{ containerPort: 80.9 }] }] } }
  expect(canonicalJson(template, value)).toBe(
    '{"metadata":{},"spec":{"containers":[{"name":"","ports":[{"containerPort":80}],"resources":{}}]}}',
  )
})

test('a struct nobody knows is refused', () => {
  expect(() => canonicalJson('core/v1.Nothing', {})).toThrow(TypeError)
})

test('printing what was printed changes nothing', () => {
  fc.assert(
    fc.property(ofStruct(template, 0), (value) => {
      const once = canonicalJson(template, value)
      expect(canonicalJson(template, JSON.parse(once))).toBe(once)
    }),
    { numRuns: 100 },
  )
})

test('the order in which keys were written does not matter', () => {
  fc.assert(
    fc.property(ofStruct(template, 0), (value) => {
      expect(canonicalJson(template, reversed(value))).toBe(canonicalJson(template, value))
    }),
    { numRuns: 50 },
  )
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  )
}

/** Any value of a struct, with some of its fields. */
function ofStruct(ref: string, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = structType(ref)?.fields ?? []
  const chosen = depth > 4 ? [] : fields
  return fc
    .subarray([...chosen], { maxLength: Math.min(chosen.length, depth < 2 ? 4 : 3) })
    .chain((some) =>
      fc.record(
        Object.fromEntries(some.map((field) => [field.name, ofType(field.type, depth + 1)])),
      ),
    )
}

function ofType(type: FieldType, depth: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'struct':
      return ofStruct(type.ref, depth)
    case 'pointer':
      return fc.option(ofType(type.to, depth), { freq: 10 })
    case 'list':
      return fc.array(ofType(type.of, depth), { maxLength: 2 })
    case 'map':
      return fc.dictionary(fc.string({ unit: 'grapheme' }), ofType(type.of, depth), { maxKeys: 3 })
    case 'string':
      return fc.string({ unit: 'binary' })
    case 'int32':
    case 'int64':
      return fc.integer()
    case 'bool':
      return fc.boolean()
    case 'float':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'quantity':
      return fc
        .tuple(fc.nat(), fc.constantFrom('', 'm', 'k', 'Mi', '.5Gi', 'e3'))
        .map((p) => p.join(''))
    case 'intOrString':
      return fc.oneof(fc.integer(), fc.string())
    case 'time':
      return fc.constantFrom('2025-01-02T03:04:05Z', '2025-01-02T03:04:05.6+02:00')
    default:
      return fc.constant(null)
  }
}
