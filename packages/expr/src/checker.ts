import type { Node } from './ast.ts'
import { BUILTINS } from './builtins.ts'
import type { Names } from './environment.ts'
import {
  ANY,
  ANY_SLICE,
  BOOL,
  BYTES,
  DURATION,
  FLOAT64,
  funcOf,
  type GoType,
  GROUP_MAP,
  INT,
  type Signature,
  STRING,
  STRING_MAP,
  TIME,
} from './go-type.ts'
import { methodsOf } from './methods.ts'
import {
  arrayOf,
  elementOf,
  isArray,
  isAssignableTo,
  isInteger,
  isNumber,
  isOfType,
  isUnknown,
  type Nature,
  NIL,
  natureText,
  ofType,
  UNKNOWN,
} from './nature.ts'
import { CompileError } from './problem.ts'
import { checkPattern } from './regexp.ts'
import { nearest } from './spelling.ts'

/**
 * Sets the nature of every node and finds what cannot work whatever the values are. Throws
 * `CompileError` for the first mistake. Source: spec analysis-and-experiments 3.7 and 3.9.
 */
export function check(tree: Node, names: Names): Nature {
  return new Checker(names).visit(tree)
}

type Test = (nature: Nature) => boolean

const isBool: Test = ({ type }) => type?.kind === 'bool'
const isString: Test = ({ type }) => type?.kind === 'string'
const isMapNature: Test = ({ type }) => type?.kind === 'map'
const isTime: Test = (nature) => isOfType(nature, TIME)
const isDuration: Test = (nature) => isOfType(nature, DURATION)

/** The type of a predicate that is nil. */
const NO_RESULT: GoType = { name: 'func(interface {})', kind: 'func' }

const BOOLEAN = ofType(BOOL)
const INTEGER = ofType(INT)
const FLOAT = ofType(FLOAT64)

interface Scope {
  readonly collection: Nature
  readonly pointers: Readonly<Record<string, Nature>>
}

class Checker {
  readonly #names: Names
  readonly #scopes: Scope[] = []
  readonly #variables: { name: string; nature: Nature }[] = []

  constructor(names: Names) {
    this.#names = names
  }

  visit(node: Node): Nature {
    node.nature = this.#natureOf(node)
    return node.nature
  }

  #natureOf(node: Node): Nature {
    switch (node.kind) {
      case 'nil':
        return NIL
      case 'identifier':
        return this.#identifier(node)
      case 'integer':
        return INTEGER
      case 'float':
        return FLOAT
      case 'bool':
        return BOOLEAN
      case 'string':
        return ofType(STRING)
      case 'bytes':
        return ofType(BYTES)
      case 'constant':
      case 'set':
        return node.nature
      case 'unary':
        return this.#unary(node)
      case 'binary':
        return this.#binary(node)
      case 'chain':
        return this.visit(node.node)
      case 'member':
        return this.#member(node)
      case 'slice':
        return this.#slice(node)
      case 'call':
        return this.#call(node)
      case 'builtin':
        return this.#builtin(node)
      case 'predicate': {
        const elem = this.visit(node.node)
        if (elem.isNil) return { type: NO_RESULT, elem }
        return { type: funcOf({ params: [ANY], result: elem.type ?? ANY }), elem }
      }
      case 'pointer':
        return this.#pointer(node)
      case 'let':
        return this.#let(node)
      case 'sequence':
        return node.nodes.map((child) => this.visit(child)).at(-1) ?? UNKNOWN
      case 'conditional':
        return this.#conditional(node)
      case 'array': {
        const natures = node.nodes.map((child) => this.visit(child))
        const last = natures.at(-1) ?? UNKNOWN
        const alike = natures.every((nature) => nature.type?.kind === last.type?.kind)
        return alike ? arrayOf(last) : ofType(ANY_SLICE)
      }
      case 'map':
        for (const pair of node.pairs) this.visit(pair)
        return ofType(STRING_MAP)
      case 'pair':
        this.visit(node.key)
        this.visit(node.value)
        return NIL
      default:
        throw new TypeError(`unknown node: ${JSON.stringify(node satisfies never)}`)
    }
  }

  #identifier(node: Node & { kind: 'identifier' }): Nature {
    const variable = this.#variables.findLast(({ name }) => name === node.name)
    if (variable !== undefined) return variable.nature
    if (node.name === '$env') return UNKNOWN
    const known = this.#names.natureOf(node.name)
    if (known !== null) return known
    const builtin = BUILTINS.get(node.name)
    if (builtin !== undefined) return { ...ofType(builtin.type), builtin: node.name }
    if (!this.#names.strict) return UNKNOWN
    return this.#unknownName(node, node.name)
  }

  #unknownName(node: Node, name: string): never {
    const candidates = [
      ...this.#names.all(),
      ...this.#variables.map((variable) => variable.name),
      ...BUILTINS.keys(),
    ]
    throw new CompileError(node.at, `unknown name ${name}`, nearest(name, candidates))
  }

  #unary(node: Node & { kind: 'unary' }): Nature {
    const nature = this.visit(node.operand)
    if (node.operator === '!' || node.operator === 'not') {
      if (isBool(nature) || isUnknown(nature)) return BOOLEAN
    } else {
      if (isNumber(nature)) return nature
      if (isUnknown(nature)) return UNKNOWN
    }
    return fail(node, `invalid operation: ${node.operator} (mismatched type ${natureText(nature)})`)
  }

  #binary(node: Node & { kind: 'binary' }): Nature {
    const left = this.visit(node.left)
    const right = this.visit(node.right)
    const { operator } = node
    if (operator === 'matches' && node.right.kind === 'string') {
      const mistake = checkPattern(node.right.value)
      if (mistake !== null) fail(node, mistake)
    }
    if (operator === 'in') this.#checkIn(node, left, right)
    const nature = binaryNature(operator, left, right)
    if (nature !== null) return nature
    const types = `${natureText(left)} and ${natureText(right)}`
    return fail(node, `invalid operation: ${operator} (mismatched types ${types})`)
  }

  #checkIn(node: Node, left: Nature, right: Nature): void {
    if (isMapNature(right)) {
      const key = right.type?.key ?? ANY
      if (!isUnknown(left) && !isAssignableTo(left, ofType(key))) {
        fail(node, `cannot use ${natureText(left)} as type ${key.name} in map key`)
      }
    } else if (isArray(right) && !isComparable(left, elementOf(right))) {
      fail(node, `cannot use ${natureText(left)} as type ${natureText(elementOf(right))} in array`)
    }
  }

  #member(node: Node & { kind: 'member' }): Nature {
    const property = node.property
    if (node.node.kind === 'identifier' && node.node.name === '$env') {
      if (property.kind !== 'string') return UNKNOWN
      const known = this.#names.natureOf(property.value)
      if (known !== null) return known
      if (!this.#names.strict || node.optional) return UNKNOWN
      return this.#unknownName(node, property.value)
    }
    const base = this.visit(node.node)
    const key = this.visit(property)
    if (isUnknown(base)) return UNKNOWN
    if (property.kind === 'string') {
      if (base.isNil) fail(node, `type nil has no field ${property.value}`)
      const method = base.type === null ? undefined : methodsOf(base.type)?.get(property.value)
      if (method !== undefined) return ofType(funcOf(method.signature))
    }
    const { type } = base
    switch (type?.kind) {
      case 'map': {
        const keyType = type.key ?? ANY
        if (!isAssignableTo(key, ofType(keyType)) && !isUnknown(key)) {
          fail(property, `cannot use ${natureText(key)} to get an element from ${type.name}`)
        }
        return elementOf(base)
      }
      case 'array':
      case 'slice':
        if (!isInteger(key) && !isUnknown(key)) {
          fail(
            property,
            `array elements can only be selected using an integer (got ${natureText(key)})`,
          )
        }
        return elementOf(base)
      case 'struct':
        if (property.kind === 'string') {
          const fields = type.fields ?? {}
          const field = Object.hasOwn(fields, property.value) ? fields[property.value] : undefined
          if (field !== undefined) return ofType(field)
          throw new CompileError(
            node.at,
            `type ${type.name} has no ${node.method ? 'method' : 'field'} ${property.value}`,
            nearest(property.value, [...Object.keys(fields), ...(methodsOf(type)?.keys() ?? [])]),
          )
        }
        break
      default:
    }
    if (property.kind === 'string') {
      fail(
        node,
        `type ${natureText(base)} has no ${node.method ? 'method' : 'field'} ${property.value}`,
      )
    }
    return fail(node, `type ${natureText(base)}[${natureText(key)}] is undefined`)
  }

  #slice(node: Node & { kind: 'slice' }): Nature {
    const base = this.visit(node.node)
    // Upstream looks at the bounds only where it knows what is sliced.
    if (isUnknown(base)) return UNKNOWN
    if (!isArray(base) && !isString(base)) fail(node, `cannot slice ${natureText(base)}`)
    for (const bound of [node.start, node.end]) {
      if (bound === null) continue
      const nature = this.visit(bound)
      if (!isInteger(nature) && !isUnknown(nature)) {
        fail(bound, `non-integer slice index ${natureText(nature)}`)
      }
    }
    return base
  }

  #call(node: Node & { kind: 'call' }): Nature {
    if (node.nature.type !== null && node.nature.type.kind !== 'interface') return node.nature
    const { callee } = node
    if (callee.kind === 'identifier' && callee.name === '$env')
      fail(node, 'map[string]interface {} is not callable')
    const nature = this.visit(callee)
    if (nature.builtin !== undefined) return this.#callBuiltin(nature.builtin, node, node.args)
    const name =
      callee.kind === 'identifier'
        ? callee.name
        : callee.kind === 'member' && callee.property.kind === 'string'
          ? callee.property.value
          : 'function'
    // Upstream does not look at the arguments of a function it knows nothing of.
    if (isUnknown(nature)) return UNKNOWN
    if (nature.isNil) fail(node, `${name} is nil; cannot call nil as function`)
    const signature = nature.type?.signature
    if (signature === undefined) return fail(node, `${natureText(nature)} is not callable`)
    return this.#overloaded({ name, signatures: [signature], args: node.args, node })
  }

  #builtin(node: Node & { kind: 'builtin' }): Nature {
    switch (node.name) {
      case 'all':
      case 'none':
      case 'any':
      case 'one':
        this.#collection(node, { boolean: true })
        return BOOLEAN
      case 'filter': {
        const { collection } = this.#collection(node, { boolean: true })
        return isUnknown(collection) ? ofType(ANY_SLICE) : arrayOf(elementOf(collection))
      }
      case 'map':
        return arrayOf(this.#collection(node, { pointers: { index: INTEGER } }).result)
      case 'count':
        this.#collection(node, { boolean: true })
        return INTEGER
      case 'sum': {
        const { collection, result } = this.#collection(node, {})
        if (result.isNil) return this.#callBuiltin('sum', node, node.args)
        // Of the predicate's result only the Go type is kept.
        if (node.args.length === 2) return ofType(result.type ?? ANY)
        return isUnknown(collection) ? UNKNOWN : elementOf(collection)
      }
      case 'find':
      case 'findLast': {
        const { collection } = this.#collection(node, { boolean: true })
        return isUnknown(collection) ? UNKNOWN : elementOf(collection)
      }
      case 'findIndex':
      case 'findLastIndex':
        this.#collection(node, { boolean: true })
        return INTEGER
      case 'groupBy': {
        this.#collection(node, {})
        return ofType(GROUP_MAP)
      }
      case 'sortBy': {
        const { collection } = this.#collection(node, {})
        const order = node.args[2]
        if (order !== undefined) {
          const nature = this.visit(order)
          if (!isString(nature) && !isUnknown(nature)) {
            fail(order, `sortBy order argument must be a string (got ${natureText(nature)})`)
          }
        }
        return collection
      }
      case 'reduce': {
        const { result } = this.#collection(node, { pointers: { index: INTEGER, acc: UNKNOWN } })
        if (node.args[2] !== undefined) this.visit(node.args[2])
        return result
      }
      case 'get':
        return this.#get(node)
      default:
        return this.#callBuiltin(node.name, node, node.args)
    }
  }

  /** The first two arguments of a predicate builtin: what it goes through and what it asks. */
  #collection(
    node: Node & { kind: 'builtin' },
    {
      boolean = false,
      pointers = {},
    }: { boolean?: boolean; pointers?: Readonly<Record<string, Nature>> },
  ): { collection: Nature; result: Nature } {
    const [array, predicate] = node.args
    if (array === undefined) return { collection: UNKNOWN, result: UNKNOWN }
    const collection = this.visit(array)
    if (!isArray(collection) && !isUnknown(collection)) {
      fail(array, `builtin ${node.name} takes only array (got ${natureText(collection)})`)
    }
    if (predicate === undefined) return { collection, result: UNKNOWN }
    this.#scopes.push({ collection, pointers })
    const nature = this.visit(predicate)
    this.#scopes.pop()
    const result = nature.elem ?? UNKNOWN
    if (result.isNil && node.name !== 'sum') {
      const inputs = node.name === 'reduce' ? 'two' : 'one'
      fail(predicate, `predicate should has ${inputs} input and one output param`)
    }
    if (boolean && !isBool(result) && !isUnknown(result)) {
      fail(predicate, `predicate should return boolean (got ${natureText(result)})`)
    }
    return { collection, result }
  }

  #get(node: Node & { kind: 'builtin' }): Nature {
    const [from, key] = node.args
    if (from === undefined || key === undefined || node.args.length !== 2) {
      return fail(node, `invalid number of arguments (expected 2, got ${node.args.length})`)
    }
    const base = this.visit(from)
    const property = this.visit(key)
    if (from.kind === 'identifier' && from.name === '$env') {
      return (key.kind === 'string' ? this.#names.natureOf(key.value) : null) ?? UNKNOWN
    }
    if (isUnknown(base)) return UNKNOWN
    if (isArray(base)) {
      if (!isInteger(property) && !isUnknown(property)) {
        fail(key, `non-integer slice index ${natureText(property)}`)
      }
      return elementOf(base)
    }
    if (isMapNature(base)) {
      if (!isAssignableTo(property, ofType(base.type?.key ?? ANY)) && !isUnknown(property)) {
        fail(key, `cannot use ${natureText(property)} to get an element from ${natureText(base)}`)
      }
      return elementOf(base)
    }
    return fail(from, `type ${base.type?.name ?? '<nil>'} does not support indexing`)
  }

  #callBuiltin(name: string, node: Node, args: Node[]): Nature {
    const builtin = BUILTINS.get(name)
    if (builtin === undefined) return fail(node, `unknown builtin ${name}`)
    if (builtin.validate !== undefined) {
      const types = args.map((arg): GoType | null => {
        const nature = this.visit(arg)
        return isUnknown(nature) ? ANY : nature.type
      })
      const checked = builtin.validate(types)
      return typeof checked === 'string'
        ? fail(node, checked)
        : checked === null
          ? UNKNOWN
          : ofType(checked)
    }
    return this.#overloaded({ name, signatures: builtin.signatures ?? [], args, node })
  }

  /** The first signature that fits decides; if none does, the last says why. */
  #overloaded(call: {
    name: string
    signatures: readonly Signature[]
    args: Node[]
    node: Node
  }): Nature {
    const { signatures, ...rest } = call
    let last: MisfitError | null = null
    for (const signature of signatures) {
      try {
        return this.#arguments({ ...rest, signature })
      } catch (error) {
        if (!(error instanceof MisfitError)) throw error
        last = error
      }
    }
    // Not a misfit any more: a call around this one must not take it for its own.
    throw new CompileError(
      last?.at ?? call.node.at,
      last?.message ?? `no matching overload for ${call.name}`,
    )
  }

  #arguments(call: { name: string; signature: Signature; args: Node[]; node: Node }): Nature {
    const { name, signature, args, node } = call
    const { params, variadic } = signature
    if (!variadic && args.length > params.length) {
      for (const arg of args) this.visit(arg)
      throw new MisfitError(node.at, `too many arguments to call ${name}`)
    }
    if (args.length < params.length - (variadic ? 1 : 0)) {
      for (const arg of args) this.visit(arg)
      throw new MisfitError(node.at, `not enough arguments to call ${name}`)
    }
    for (const [i, arg] of args.entries()) {
      const nature = this.visit(arg)
      const last = params.at(-1)
      const param = variadic && i >= params.length - 1 ? (last?.elem ?? ANY) : (params[i] ?? ANY)
      if (param.kind === 'float64' && isInteger(nature)) {
        args[i] = literalsAsFloats(arg)
        continue
      }
      const wanted = ofType(param)
      if (isInteger(wanted) && isInteger(nature) && param.kind !== nature.type?.kind) {
        retypeLiterals(arg, param)
        continue
      }
      if (nature.isNil) {
        if (param.kind === 'ptr' || param.kind === 'interface') continue
        throw new MisfitError(
          arg.at,
          `cannot use nil as argument (type ${param.name}) to call ${name}`,
        )
      }
      if (!isAssignableTo(nature, wanted) && !isUnknown(nature)) {
        throw new MisfitError(
          arg.at,
          `cannot use ${nature.type?.name ?? 'unknown'} as argument (type ${param.name}) to call ${name}`,
        )
      }
    }
    return ofType(signature.result)
  }

  #pointer(node: Node & { kind: 'pointer' }): Nature {
    const scope = this.#scopes.at(-1)
    if (scope === undefined) return fail(node, 'cannot use pointer accessor outside predicate')
    if (node.name === '') return isUnknown(scope.collection) ? UNKNOWN : elementOf(scope.collection)
    const pointer = Object.hasOwn(scope.pointers, node.name) ? scope.pointers[node.name] : undefined
    if (pointer === undefined) return fail(node, `unknown pointer #${node.name}`)
    return pointer
  }

  #let(node: Node & { kind: 'let' }): Nature {
    const { name } = node
    if (this.#names.natureOf(name) !== null) fail(node, `cannot redeclare ${name}`)
    if (BUILTINS.has(name)) fail(node, `cannot redeclare builtin ${name}`)
    if (this.#variables.some((variable) => variable.name === name)) {
      fail(node, `cannot redeclare variable ${name}`)
    }
    const nature = this.visit(node.value)
    this.#variables.push({ name, nature })
    const result = this.visit(node.body)
    this.#variables.pop()
    return result
  }

  #conditional(node: Node & { kind: 'conditional' }): Nature {
    const condition = this.visit(node.condition)
    if (!isBool(condition) && !isUnknown(condition)) {
      fail(node.condition, `non-bool expression (type ${natureText(condition)}) used as condition`)
    }
    const then = this.visit(node.whenTrue)
    const otherwise = this.visit(node.whenFalse)
    if (then.isNil) return otherwise
    if (otherwise.isNil) return then
    if (!isAssignableTo(then, otherwise)) return UNKNOWN
    if (isArray(then) && isArray(otherwise)) {
      const a = elementOf(then)
      const b = elementOf(otherwise)
      if (!isAssignableTo(a, b) || !isAssignableTo(b, a)) return ofType(ANY_SLICE)
    }
    return then
  }
}

/** The arguments do not fit one signature; they may fit another. */
class MisfitError extends CompileError {}

function fail(node: Node, message: string): never {
  throw new CompileError(node.at, message)
}

/** The nature of `left operator right`, `null` where the operator is not defined for them. */
function binaryNature(operator: string, left: Nature, right: Nature): Nature | null {
  const both = (test: Test): boolean => test(left) && test(right)
  const maybe = (...tests: Test[]): boolean => maybeCompatible(left, right, tests)
  switch (operator) {
    case '==':
    case '!=':
      return isComparable(left, right) ? BOOLEAN : null
    case 'or':
    case '||':
    case 'and':
    case '&&':
      return both(isBool) || maybe(isBool) ? BOOLEAN : null
    case '<':
    case '>':
    case '<=':
    case '>=':
      return both(isNumber) ||
        both(isString) ||
        both(isTime) ||
        both(isDuration) ||
        maybe(isNumber, isString, isTime, isDuration)
        ? BOOLEAN
        : null
    case '-':
      if (both(isNumber)) return promoted(left, right)
      if (both(isTime) || both(isDuration)) return ofType(DURATION)
      if (isTime(left) && isDuration(right)) return ofType(TIME)
      return maybe(isNumber, isTime, isDuration) ? UNKNOWN : null
    case '*':
      if (both(isNumber)) return promoted(left, right)
      if ((isNumber(left) || isDuration(left)) && (isNumber(right) || isDuration(right))) {
        return ofType(DURATION)
      }
      return maybe(isNumber, isDuration) ? UNKNOWN : null
    case '/':
    case '**':
    case '^':
      return both(isNumber) || maybe(isNumber) ? FLOAT : null
    case '%':
      return both(isInteger) || maybe(isInteger) ? INTEGER : null
    case '+':
      if (both(isNumber)) return promoted(left, right)
      if (both(isString)) return ofType(STRING)
      if ((isTime(left) && isDuration(right)) || (isDuration(left) && isTime(right)))
        return ofType(TIME)
      if (both(isDuration)) return ofType(DURATION)
      return maybe(isNumber, isString, isTime, isDuration) ? UNKNOWN : null
    case 'in':
      if ((isString(left) || isUnknown(left)) && right.type?.kind === 'struct') return BOOLEAN
      if (isMapNature(right) || isArray(right) || isUnknown(right)) return BOOLEAN
      return isUnknown(left) && isString(right) ? BOOLEAN : null
    case 'matches':
      return ((isString(left) || isOfType(left, BYTES)) && isString(right)) || maybe(isString)
        ? BOOLEAN
        : null
    case 'contains':
    case 'startsWith':
    case 'endsWith':
      return both(isString) || maybe(isString) ? BOOLEAN : null
    case '..':
      return both(isInteger) || maybe(isInteger) ? { type: ANY_SLICE, elem: INTEGER } : null
    case '??':
      if (left.isNil) return right
      if (right.isNil) return left
      return isAssignableTo(right, left) ? left : UNKNOWN
    default:
      return null
  }
}

function promoted(left: Nature, right: Nature): Nature {
  return left.type?.kind === 'float64' || right.type?.kind === 'float64' ? FLOAT : INTEGER
}

function isComparable(left: Nature, right: Nature): boolean {
  return (
    isUnknown(left) ||
    isUnknown(right) ||
    left.isNil === true ||
    right.isNil === true ||
    (isNumber(left) && isNumber(right)) ||
    (isDuration(left) && isDuration(right)) ||
    (isTime(left) && isTime(right)) ||
    (isArray(left) && isArray(right)) ||
    isAssignableTo(left, right)
  )
}

/** At least one side is unknown and the other, if known, is of one of the kinds. */
function maybeCompatible(left: Nature, right: Nature, tests: readonly Test[]): boolean {
  if (isUnknown(left)) return isUnknown(right) || tests.some((test) => test(right))
  return isUnknown(right) && tests.some((test) => test(left))
}

/** Whole number literals become floats where a float parameter wants them. */
function literalsAsFloats(node: Node): Node {
  if (node.kind === 'integer') {
    return { at: node.at, nature: FLOAT, kind: 'float', value: Number(node.value) }
  }
  if (node.kind === 'unary') node.operand = literalsAsFloats(node.operand)
  if (node.kind === 'binary' && '+-*'.includes(node.operator)) {
    node.left = literalsAsFloats(node.left)
    node.right = literalsAsFloats(node.right)
  }
  return node
}

/** Whole number literals take the integer type of the parameter. */
function retypeLiterals(node: Node, type: GoType): void {
  if (node.kind === 'integer' || node.kind === 'unary') node.nature = ofType(type)
  if (node.kind === 'unary') retypeLiterals(node.operand, type)
  if (node.kind === 'binary' && '+-*'.includes(node.operator)) {
    retypeLiterals(node.left, type)
    retypeLiterals(node.right, type)
  }
}
