import { goTime, instantOf } from './go-time.ts'
import generated from './go-types.generated.json' with { type: 'json' }
import { type GobField, type GobStruct, type GobType, type GobValue, struct } from './gob-types.ts'

/** How one Go type travels by gob, and how its value looks in JSON. */
export interface GoType {
  readonly gob: GobType
  /** Undefined: absent, or nothing that fits: what a plugin cannot be told is left out. */
  toGob(json: unknown): GobValue | undefined
  toJson(value: GobValue): unknown
}

/** A struct of upstream's or Kubernetes' by its name in the generated file, such as `v1alpha1.Rollout`. */
export function goStruct(name: string): GoType & { readonly gob: GobStruct } {
  const known = structs.get(name)
  if (known) return known
  if (!Object.hasOwn(facts, name)) throw new TypeError(`go-types.generated.json lacks ${name}`)
  const made = name === 'intstr.IntOrString' ? intOrString : structType(name, facts[name] ?? [])
  structs.set(name, made)
  return made
}

type WrittenField = readonly [go: string, json: string, type: string]

// The generator (test/plugins/go-types) is the only writer of that file.
const facts = generated as unknown as Readonly<Record<string, readonly WrittenField[]>>
/** Made when first asked for: one object for each struct, as streams tell each of them once. */
const structs = new Map<string, GoType & { readonly gob: GobStruct }>()

interface Member {
  readonly go: string
  /** Empty: its fields stand in the outer JSON object. */
  readonly json: string
  readonly type: GoType
}

function structType(
  name: string,
  written: readonly WrittenField[],
): GoType & { readonly gob: GobStruct } {
  let members: readonly Member[] | undefined
  let fields: readonly GobField[] | undefined
  const all = () => {
    members ??= written.map(([go, json, type]) => ({ go, json, type: typeOf(type) }))
    return members
  }
  return {
    gob: {
      kind: 'struct',
      name: name.slice(name.indexOf('.') + 1),
      fields: () => {
        fields ??= all().map(({ go, type }) => ({ name: go, type: type.gob }))
        return fields
      },
    },
    toGob(json) {
      if (!isRecord(json)) return undefined
      const record: Record<string, GobValue> = {}
      for (const member of all()) {
        const value = member.type.toGob(member.json === '' ? json : json[member.json])
        if (value !== undefined) record[member.go] = value
      }
      return record
    },
    toJson(value) {
      const record = value as { readonly [name: string]: GobValue }
      const json: Record<string, unknown> = {}
      for (const member of all()) {
        const item = record[member.go]
        if (item === undefined) continue
        if (member.json === '') Object.assign(json, member.type.toJson(item))
        else json[member.json] = member.type.toJson(item)
      }
      return json
    },
  }
}

function typeOf(notation: string): GoType {
  if (notation.startsWith('[]')) return listType(() => typeOf(notation.slice(2)))
  if (notation.startsWith('map ')) return mapType(typeOf(notation.slice(4)))
  return Object.hasOwn(plainTypes, notation) ? (plainTypes[notation] as GoType) : goStruct(notation)
}

function listType(lazily: () => GoType): GoType {
  const of = lazily()
  return {
    gob: { kind: 'list', of: of.gob },
    toGob: (json) =>
      Array.isArray(json) ? json.map((item) => of.toGob(item) ?? zeroOf(of.gob)) : undefined,
    toJson: (value) => (value as readonly GobValue[]).map((item) => of.toJson(item)),
  }
}

function mapType(of: GoType): GoType {
  return {
    gob: { kind: 'map', of: of.gob },
    toGob: (json) =>
      isRecord(json)
        ? Object.fromEntries(
            Object.entries(json).flatMap(([key, item]) => {
              const value = of.toGob(item)
              return value === undefined ? [] : [[key, value]]
            }),
          )
        : undefined,
    toJson: (value) =>
      Object.fromEntries(
        Object.entries(value as { readonly [name: string]: GobValue }).map(([key, item]) => [
          key,
          of.toJson(item),
        ]),
      ),
  }
}

/** Throws where a plugin declares as something else what is a text upstream: bytes as JSON are ten times as long. */
export function textOfGob(value: GobValue): string {
  if (typeof value !== 'string') throw new TypeError('a text was due')
  return value
}

const plainTypes: Readonly<Record<string, GoType>> = {
  string: {
    gob: { kind: 'string' },
    toGob: (json) => (typeof json === 'string' ? json : undefined),
    toJson: textOfGob,
  },
  bool: {
    gob: { kind: 'bool' },
    toGob: (json) => (typeof json === 'boolean' ? json : undefined),
    toJson: (value) => value,
  },
  int: {
    gob: { kind: 'int' },
    toGob: (json) => (Number.isSafeInteger(json) ? (json as number) : undefined),
    toJson: (value) => value,
  },
  float: {
    gob: { kind: 'float' },
    toGob: (json) => (typeof json === 'number' ? json : undefined),
    toJson: (value) => value,
  },
  bytes: {
    gob: { kind: 'bytes' },
    toGob: (json) => (typeof json === 'string' ? Buffer.from(json, 'base64') : undefined),
    toJson: (value) => Buffer.from(value as Uint8Array).toString('base64'),
  },
  // json.RawMessage: any JSON, as text.
  json: {
    gob: { kind: 'bytes' },
    toGob: (json) =>
      json === undefined ? undefined : new TextEncoder().encode(JSON.stringify(json)),
    toJson: (value) => JSON.parse(new TextDecoder().decode(value as Uint8Array)),
  },
  time: {
    gob: { kind: 'opaque', name: 'Time' },
    toGob: (json) => (typeof json === 'string' ? goTime(json) : undefined),
    toJson: (value) => instantOf(value as Uint8Array),
  },
}

const intOrString = {
  gob: struct('IntOrString', {
    Type: { kind: 'int' },
    IntVal: { kind: 'int' },
    StrVal: { kind: 'string' },
  }),
  toGob(json: unknown): GobValue | undefined {
    if (typeof json === 'string') return { Type: 1, StrVal: json }
    return Number.isSafeInteger(json) ? { Type: 0, IntVal: json as number } : undefined
  },
  toJson(value: GobValue): unknown {
    const { Type = 0, IntVal = 0, StrVal = '' } = value as { readonly [name: string]: GobValue }
    return Type === 1 ? StrVal : IntVal
  },
}

/** Stands in a list where an entry fits nothing, so that the others keep their places. */
function zeroOf(type: GobType): GobValue {
  switch (type.kind) {
    case 'bool':
      return false
    case 'int':
    case 'uint':
    case 'float':
      return 0
    case 'string':
      return ''
    case 'bytes':
    case 'opaque':
      return new Uint8Array(0)
    case 'list':
      return []
    case 'map':
    case 'struct':
      return {}
    case 'interface':
      return null
    default:
      throw new TypeError(`unknown gob type: ${JSON.stringify(type satisfies never)}`)
  }
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
