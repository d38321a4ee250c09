import { BUILTINS, usableInteger } from './builtins.ts'
import { show } from './format.ts'
import { byteLength, normalize, quote } from './go-string.ts'
import { methodOf } from './methods.ts'
import {
  type AnyNode,
  type BranchNode,
  type ChainNode,
  type CommandNode,
  type FieldNode,
  type IdentifierNode,
  type Node,
  type NumberNode,
  nodeText,
  type Operand,
  type PipeNode,
  type TemplateNode,
  type VariableNode,
} from './nodes.ts'
import {
  canBeNil,
  checkArgument,
  checkCallArgument,
  integerAs,
  nilOf,
  parameterTypeName,
} from './parameters.ts'
import { sortedEntries } from './print-value.ts'
import { BudgetExceeded, FunctionFailure, type Run, spendText } from './run.ts'
import {
  elementType,
  type GoFunction,
  isList,
  isMap,
  isObject,
  isTrue,
  type Parameter,
  typeName,
  type Value,
} from './value.ts'

/** An execution stopped by a mistake; `at` and `template` say where. */
export class ExecutionFailure extends Error {
  override readonly name = 'ExecutionFailure'
  readonly at: number
  readonly template: string
  readonly context: string

  constructor(message: string, where: { at: number; template: string; context: string }) {
    super(message)
    this.at = where.at
    this.template = where.template
    this.context = where.context
  }
}

/** Go allows 100,000; a notification that nests 1000 deep is a mistake (spec notifications 6.6). */
const MAX_DEPTH = 1000
const MAX_OUTPUT_BYTES = 1024 * 1024

/** `boxed`: read from an `interface {}` element, which shows in error texts only. */
interface Slot {
  readonly value: Value
  readonly boxed: boolean
}

interface Variable {
  readonly name: string
  slot: Slot
}

/** State of one template call: it sees its own variables only. */
interface Frame {
  readonly template: string
  readonly depth: number
  readonly variables: Variable[]
}

/** No value comes from the left of the pipeline; differs from a missing value that does. */
const NOTHING = Symbol('nothing')
type Final = Value | typeof NOTHING

type Jump = 'break' | 'continue' | undefined

export class Evaluator {
  readonly #trees: ReadonlyMap<string, readonly Node[]>
  readonly #functions: (name: string) => GoFunction | undefined
  readonly #run: Run
  #output: string[] = []
  #outputBytes = 0
  #frame: Frame
  #node: AnyNode | undefined

  constructor(options: {
    trees: ReadonlyMap<string, readonly Node[]>
    functions: (name: string) => GoFunction | undefined
    run: Run
    name: string
  }) {
    this.#trees = options.trees
    this.#functions = options.functions
    this.#run = options.run
    this.#frame = { template: options.name, depth: 0, variables: [] }
  }

  get text(): string {
    return normalize(this.#output.join(''))
  }

  execute(data: Value): void {
    const { template } = this.#frame
    const root: Slot = { value: data, boxed: false }
    this.#frame.variables.push({ name: '$', slot: root })
    try {
      this.#list(root, this.#trees.get(template) ?? [])
    } catch (error) {
      throw this.#located(error)
    }
  }

  /** Failures that come without a place (budget, JavaScript's stack) happened at the current node. */
  #located(error: unknown): ExecutionFailure {
    if (error instanceof ExecutionFailure) return error
    if (error instanceof BudgetExceeded) return this.#failure(error.message)
    return this.#failure(detailOf(error))
  }

  #failure(message: string): ExecutionFailure {
    const { template } = this.#frame
    return new ExecutionFailure(message, {
      at: this.#node?.at ?? 0,
      template,
      context: this.#node ? nodeText(this.#node) : '',
    })
  }

  #fail(message: string): never {
    throw this.#failure(message)
  }

  #list(dot: Slot, nodes: readonly Node[]): Jump {
    for (const node of nodes) {
      const jump = this.#walk(dot, node)
      if (jump) return jump
    }
    return undefined
  }

  #walk(dot: Slot, node: Node): Jump {
    this.#node = node
    this.#run.spend(1)
    switch (node.kind) {
      case 'text':
        this.#write(node.text)
        return undefined
      case 'action': {
        const value = this.#pipeline(dot, node.pipe)
        if (node.pipe.variables.length === 0) this.#print(node, value)
        return undefined
      }
      case 'break':
      case 'continue':
        return node.kind
      case 'if':
      case 'with':
        return this.#branch(dot, node)
      case 'range':
        return this.#range(dot, node)
      case 'template':
        this.#call(dot, node)
        return undefined
    }
  }

  #write(text: string): void {
    spendText(this.#run, text.length)
    this.#outputBytes += byteLength(text)
    if (this.#outputBytes > MAX_OUTPUT_BYTES) {
      this.#fail(`the output is longer than ${MAX_OUTPUT_BYTES} bytes`)
    }
    this.#output.push(text)
  }

  #print(node: AnyNode, value: Value): void {
    this.#node = node
    if (isObject(value) && value.kind === 'func') {
      this.#fail(`can't print ${nodeText(node)} of type ${value.type}`)
    }
    this.#write(value === undefined ? '<no value>' : show(value, this.#run))
  }

  #branch(dot: Slot, node: BranchNode): Jump {
    const { variables } = this.#frame
    const mark = variables.length
    const value = this.#pipeline(dot, node.pipe)
    const inner = node.kind === 'with' ? { value, boxed: false } : dot
    const jump = isTrue(value) ? this.#list(inner, node.body) : this.#list(dot, node.otherwise)
    variables.length = mark
    return jump
  }

  #range(dot: Slot, node: BranchNode): Jump {
    const { variables } = this.#frame
    const mark = variables.length
    const value = this.#pipeline(dot, node.pipe)
    const bodyMark = variables.length
    let rounds = 0
    let jump: Jump
    for (const [key, element] of this.#elements(value, node.pipe)) {
      rounds++
      this.#run.spend(1)
      this.#setRangeVariables(node.pipe, key, element)
      jump = this.#list(element, node.body)
      variables.length = bodyMark
      if (jump === 'break') break
    }
    const elseJump = rounds === 0 ? this.#list(dot, node.otherwise) : undefined
    variables.length = mark
    return elseJump
  }

  *#elements(value: Value, pipe: PipeNode): Generator<[key: Slot, element: Slot]> {
    if (value === undefined) return
    if (isList(value)) {
      const boxed = elementType(value) === 'interface {}'
      for (const [i, item] of value.items.entries()) {
        yield [
          { value: BigInt(i), boxed: false },
          { value: item, boxed },
        ]
      }
      return
    }
    if (isMap(value)) {
      const boxed = elementType(value) === 'interface {}'
      this.#run.spend(value.entries.size)
      for (const [key, item] of sortedEntries(value)) {
        yield [
          { value: key, boxed: false },
          { value: item, boxed },
        ]
      }
      return
    }
    const count = usableInteger(value, this.#run)
    if (count === undefined) this.#fail(`range can't iterate over ${show(value, this.#run)}`)
    if (pipe.variables.length > 1) {
      this.#fail(`can't use ${show(value, this.#run)} to iterate over more than one variable`)
    }
    for (let i = 0n; i < count; i++) {
      yield [
        { value: undefined, boxed: false },
        { value: i, boxed: false },
      ]
    }
  }

  #setRangeVariables(pipe: PipeNode, key: Slot, element: Slot): void {
    const { variables } = this.#frame
    const [first, second] = pipe.variables
    if (pipe.assigns) {
      if (first) this.#assign(first.names[0], second ? key : element)
      if (second) this.#assign(second.names[0], element)
      return
    }
    // The pipeline has pushed them; the last one is the element.
    const last = variables.at(-1)
    const beforeLast = variables.at(-2)
    if (first && last) last.slot = element
    if (second && beforeLast) beforeLast.slot = key
  }

  #call(dot: Slot, node: TemplateNode): void {
    const body = this.#trees.get(node.name)
    if (!body) this.#fail(`template ${quote(node.name)} not defined`)
    const outer = this.#frame
    if (outer.depth >= MAX_DEPTH) this.#fail(`exceeded maximum template depth (${MAX_DEPTH})`)
    const argument: Slot = {
      value: node.pipe ? this.#pipeline(dot, node.pipe) : undefined,
      boxed: false,
    }
    this.#frame = {
      template: node.name,
      depth: outer.depth + 1,
      variables: [{ name: '$', slot: argument }],
    }
    this.#list(argument, body ?? [])
    this.#frame = outer
  }

  #assign(name: string, slot: Slot): void {
    const variable = this.#frame.variables.findLast((candidate) => candidate.name === name)
    if (!variable) this.#fail(`undefined variable: ${name}`)
    else variable.slot = slot
  }

  #pipeline(dot: Slot, pipe: PipeNode): Value {
    this.#node = pipe
    let value: Final = NOTHING
    for (const command of pipe.commands) value = this.#command(dot, command, value) ?? undefined
    const result: Value = value === NOTHING ? undefined : value
    for (const { names } of pipe.variables) {
      const slot: Slot = { value: result, boxed: false }
      if (pipe.assigns) this.#assign(names[0], slot)
      else this.#frame.variables.push({ name: names[0], slot })
    }
    return result
  }

  #command(dot: Slot, command: CommandNode, final: Final): Value {
    this.#run.spend(1)
    const [word, ...args] = command.operands
    switch (word.kind) {
      case 'field':
        return this.#field(dot, word, args, final)
      case 'chain':
        return this.#chain(dot, word, args, final)
      case 'identifier':
        return this.#function(dot, word, { node: command, args, final })
      case 'pipe':
        this.#refuseArguments(word, args, final)
        return this.#pipeline(dot, word)
      case 'variable':
        return this.#variable(dot, word, args, final)
    }
    this.#node = word
    this.#refuseArguments(word, args, final)
    switch (word.kind) {
      case 'bool':
      case 'string':
        return word.value
      case 'dot':
        return dot.value
      case 'nil':
        return this.#fail('nil is not a command')
      case 'number':
        return this.#constant(word)
    }
  }

  #refuseArguments(word: Operand, args: readonly Operand[], final: Final): void {
    if (args.length > 0 || final !== NOTHING) {
      this.#fail(`can't give argument to non-function ${nodeText(word)}`)
    }
  }

  #constant(word: NumberNode): Value {
    this.#node = word
    switch (word.ideal) {
      case 'float':
        return word.float
      case 'int':
        return word.int
      case 'overflow':
        return this.#fail(`${word.source} overflows int`)
    }
  }

  #field(dot: Slot, node: FieldNode, args: readonly Operand[], final: Final): Value {
    this.#node = node
    return this.#names(dot, dot, { node, names: node.names, args, final })
  }

  #chain(dot: Slot, node: ChainNode, args: readonly Operand[], final: Final): Value {
    this.#node = node
    if (node.base.kind === 'nil')
      this.#fail(`indirection through explicit nil in ${nodeText(node)}`)
    const value =
      node.base.kind === 'pipe'
        ? this.#pipeline(dot, node.base)
        : node.base.kind === 'identifier'
          ? this.#function(dot, node.base, { node: node.base, args: [], final: NOTHING })
          : this.#fail(`can't evaluate command ${quote(nodeText(node.base))}`)
    const receiver: Slot = { value: value ?? undefined, boxed: false }
    return this.#names(dot, receiver, { node, names: node.names, args, final })
  }

  #variable(dot: Slot, node: VariableNode, args: readonly Operand[], final: Final): Value {
    this.#node = node
    const [name, ...names] = node.names
    const variable = this.#frame.variables.findLast((candidate) => candidate.name === name)
    if (!variable) return this.#fail(`undefined variable: ${name}`)
    if (names.length === 0) {
      this.#refuseArguments(node, args, final)
      return variable.slot.value
    }
    return this.#names(dot, variable.slot, { node, names, args, final })
  }

  /** `.a.b.c x`: only the last name can be a method that takes the arguments. */
  #names(
    dot: Slot,
    receiver: Slot,
    chain: { node: AnyNode; names: readonly string[]; args: readonly Operand[]; final: Final },
  ): Value {
    let at = receiver
    for (const [i, name] of chain.names.entries()) {
      const isLast = i === chain.names.length - 1
      at = this.#member(dot, at, {
        name,
        node: chain.node,
        args: isLast ? chain.args : [],
        final: isLast ? chain.final : NOTHING,
      })
    }
    return at.value
  }

  #member(
    dot: Slot,
    { value: receiver, boxed }: Slot,
    member: { name: string; node: AnyNode; args: readonly Operand[]; final: Final },
  ): Slot {
    const { name, node, args, final } = member
    if (receiver === undefined) return { value: undefined, boxed: false }
    if (receiver === null) return this.#fail(`nil pointer evaluating interface {}.${name}`)
    const method = methodOf(receiver, name)
    if (method) {
      const result = this.#apply(dot, method, { name, node, args, final })
      return { value: result, boxed: false }
    }
    if (isMap(receiver)) {
      if (args.length > 0 || final !== NOTHING) {
        this.#fail(`${name} is not a method but has arguments`)
      }
      return {
        value: receiver.entries.get(name),
        boxed: elementType(receiver) === 'interface {}',
      }
    }
    const type = boxed ? 'interface {}' : typeName(receiver)
    return this.#fail(`can't evaluate field ${name} in type ${type}`)
  }

  #function(
    dot: Slot,
    identifier: IdentifierNode,
    call: { node: AnyNode; args: readonly Operand[]; final: Final },
  ): Value {
    const { name } = identifier
    this.#node = identifier
    const given = this.#functions(name)
    if (given) return this.#apply(dot, given, { name, ...call })
    const builtin = BUILTINS.get(name)
    if (!builtin) return this.#fail(`${quote(name)} is not a defined function`)
    if (name === 'and' || name === 'or') return this.#shortCircuit(dot, builtin, { name, ...call })
    if (name === 'call') return this.#callValue(dot, builtin, { name, ...call })
    return this.#apply(dot, builtin, { name, ...call })
  }

  #shortCircuit(dot: Slot, builtin: GoFunction, call: Call): Value {
    this.#checkCount(builtin, call)
    let value: Value
    for (const arg of call.args) {
      value = this.#argument(dot, 'value', arg)
      if (isTrue(value) === (call.name === 'or')) return value
    }
    return call.final === NOTHING ? value : call.final
  }

  /** `call f args`: f is a value of the data, such as `.time.Now`. */
  #callValue(dot: Slot, builtin: GoFunction, call: Call): Value {
    const [callee, ...args] = this.#arguments(dot, builtin, call)
    const shown = call.args[0] ? nodeText(call.args[0]) : '<interface {} Value>'
    return this.#invoke(call, () => {
      if (callee === undefined || callee === null) throw new FunctionFailure('call of nil')
      if (!isObject(callee) || callee.kind !== 'func') {
        throw new FunctionFailure(`non-function ${shown} of type ${typeName(callee)}`)
      }
      const { parameters, rest } = callee
      const fits = rest ? args.length >= parameters.length : args.length === parameters.length
      if (!fits) {
        const wanted = `${rest ? 'at least ' : ''}${parameters.length}`
        throw new FunctionFailure(
          `wrong number of args for ${shown}: got ${args.length} want ${wanted}`,
        )
      }
      const prepared = args.map((arg, i) => {
        const checked = checkCallArgument(arg, parameters[i] ?? rest ?? 'any', this.#run)
        if (!checked.ok) throw new FunctionFailure(`arg ${i}: ${checked.problem}`)
        return checked.value
      })
      return callee.invoke(prepared, this.#run)
    })
  }

  #apply(dot: Slot, fn: GoFunction, call: Call): Value {
    const args = this.#arguments(dot, fn, call)
    return this.#invoke(call, () => fn.invoke(args, this.#run))
  }

  #invoke(call: Call, body: () => Value): Value {
    this.#run.spend(1)
    let result: Value
    try {
      result = body()
    } catch (error) {
      if (error instanceof BudgetExceeded || error instanceof ExecutionFailure) throw error
      // Go turns a panic of a function into an error as well.
      this.#node = call.node
      return this.#fail(`error calling ${call.name}: ${detailOf(error)}`)
    }
    if (typeof result !== 'string') return result
    spendText(this.#run, result.length)
    return normalize(result)
  }

  #checkCount(fn: GoFunction, { name, args, final }: Call): void {
    const count = args.length + (final === NOTHING ? 0 : 1)
    const wanted = fn.parameters.length
    if (fn.rest && count < wanted) {
      this.#fail(`wrong number of args for ${name}: want at least ${wanted} got ${args.length}`)
    }
    if (!fn.rest && count !== wanted) {
      this.#fail(`wrong number of args for ${name}: want ${wanted} got ${count}`)
    }
  }

  #arguments(dot: Slot, fn: GoFunction, call: Call): Value[] {
    this.#checkCount(fn, call)
    const typeAt = (i: number): Parameter => fn.parameters[i] ?? fn.rest ?? 'any'
    const values = call.args.map((arg, i) => this.#argument(dot, typeAt(i), arg))
    if (call.final !== NOTHING) values.push(this.#checked(call.final, typeAt(call.args.length)))
    return values
  }

  #checked(value: Value, parameter: Parameter): Value {
    const checked = checkArgument(value, parameter, this.#run)
    return checked.ok ? checked.value : this.#fail(checked.problem)
  }

  #argument(dot: Slot, parameter: Parameter, node: Operand): Value {
    this.#node = node
    switch (node.kind) {
      case 'dot':
        return this.#checked(dot.value, parameter)
      case 'nil':
        if (!canBeNil(parameter)) this.#fail(`cannot assign nil to ${parameterTypeName(parameter)}`)
        return nilOf(parameter)
      case 'field':
        return this.#checked(this.#field(dot, node, [], NOTHING), parameter)
      case 'variable':
        return this.#checked(this.#variable(dot, node, [], NOTHING), parameter)
      case 'pipe':
        return this.#checked(this.#pipeline(dot, node), parameter)
      case 'identifier': {
        const value = this.#function(dot, node, { node, args: [], final: NOTHING })
        return this.#checked(value, parameter)
      }
      case 'chain':
        return this.#checked(this.#chain(dot, node, [], NOTHING), parameter)
      default:
        return this.#literal(node, parameter)
    }
  }

  /** A literal takes the type of the parameter: `1` is a fine float, `"1"` is no int. */
  #literal(node: Operand & { kind: 'bool' | 'number' | 'string' }, parameter: Parameter): Value {
    const shown = nodeText(node)
    switch (parameter) {
      case 'any':
      case 'value':
        return node.kind === 'number' ? this.#constant(node) : node.value
      case 'bool':
        return node.kind === 'bool' ? node.value : this.#fail(`expected bool; found ${shown}`)
      case 'string':
        return node.kind === 'string' ? node.value : this.#fail(`expected string; found ${shown}`)
      case 'int':
      case 'duration':
        if (node.kind !== 'number' || node.int === undefined) {
          return this.#fail(`expected integer; found ${shown}`)
        }
        return integerAs(node.int, parameter).value
      case 'float64':
        if (node.kind !== 'number' || node.float === undefined) {
          return this.#fail(`expected float; found ${shown}`)
        }
        return node.float
      default:
        return this.#fail(`can't handle ${shown} for arg of type ${parameterTypeName(parameter)}`)
    }
  }
}

/** A RangeError is JavaScript's way to say that the stack ended or a text is too long. */
function detailOf(error: unknown): string {
  if (error instanceof RangeError)
    return 'the value or the template nests too deeply or is too large'
  return error instanceof Error ? error.message : String(error)
}

/** A call as written: `node` is what errors of the function itself point at. */
interface Call {
  readonly name: string
  readonly node: AnyNode
  readonly args: readonly Operand[]
  readonly final: Final
}
