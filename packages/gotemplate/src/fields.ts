import type { Node, Operand, PipeNode } from './nodes.ts'

/**
 * The field chains of a tree that start at the root data. Dot and variables are followed where the template says what
 * they are: `{{with .rollout}}{{.status}}` is rollout.status, elements of a range are not named.
 */
export function collectFields(
  trees: ReadonlyMap<string, readonly Node[]>,
  main: string,
): string[][] {
  const collector = new Collector(trees)
  collector.template(main, [])
  // A body nobody calls is still checked, with a dot nobody knows.
  for (const name of trees.keys()) collector.template(name, undefined)
  return collector.chains
}

/** Names from the root; undefined when it is not a plain member of the data. */
type Path = readonly string[] | undefined

interface Scope {
  readonly root: Path
  readonly dot: Path
  readonly variables: ReadonlyMap<string, Path>
}

class Collector {
  readonly #trees: ReadonlyMap<string, readonly Node[]>
  readonly #seen = new Set<string>()
  readonly #visited = new Set<string>()
  readonly #names = new Set<string>()
  readonly chains: string[][] = []

  constructor(trees: ReadonlyMap<string, readonly Node[]>) {
    this.#trees = trees
  }

  template(name: string, dot: Path): void {
    const visit = JSON.stringify([name, dot])
    const nodes = this.#trees.get(name)
    if (!nodes || this.#visited.has(visit) || (dot === undefined && this.#names.has(name))) return
    // Recursion with an ever longer path (`template "t" .child` in t) ends here.
    if (dot && dot.length > 32) return
    this.#visited.add(visit)
    this.#names.add(name)
    this.#nodes(nodes, { root: dot, dot, variables: new Map() })
  }

  #nodes(nodes: readonly Node[], scope: Scope): void {
    let inner = scope
    for (const node of nodes) {
      switch (node.kind) {
        case 'action':
          inner = this.#declared(node.pipe, inner)
          break
        case 'if':
        case 'with':
        case 'range': {
          const body = this.#declared(node.pipe, inner)
          const dot = this.#pathOf(node.pipe, inner)
          const bodyDot = node.kind === 'if' ? inner.dot : node.kind === 'with' ? dot : undefined
          this.#nodes(node.body, {
            ...(node.kind === 'range' ? this.#unknown(node.pipe, body) : body),
            dot: bodyDot,
          })
          this.#nodes(node.otherwise, body)
          break
        }
        case 'template':
          if (node.pipe) inner = this.#declared(node.pipe, inner)
          this.template(node.name, node.pipe ? this.#pathOf(node.pipe, inner) : undefined)
          break
      }
    }
  }

  #declared(pipe: PipeNode, scope: Scope): Scope {
    this.#pipe(pipe, scope)
    if (pipe.variables.length === 0) return scope
    const path = pipe.assigns ? undefined : this.#pathOf(pipe, scope)
    const variables = new Map(scope.variables)
    for (const { names } of pipe.variables) variables.set(names[0], path)
    return { ...scope, variables }
  }

  #unknown(pipe: PipeNode, scope: Scope): Scope {
    const variables = new Map(scope.variables)
    for (const { names } of pipe.variables) variables.set(names[0], undefined)
    return { ...scope, variables }
  }

  #pipe(pipe: PipeNode, scope: Scope): void {
    for (const { operands } of pipe.commands) {
      for (const operand of operands) this.#operand(operand, scope)
    }
  }

  #operand(operand: Operand, scope: Scope): void {
    if (operand.kind === 'pipe') this.#pipe(operand, scope)
    else if (operand.kind === 'chain') this.#operand(operand.base, scope)
    const path = this.#operandPath(operand, scope)
    if (!path || path.length === 0) return
    const key = JSON.stringify(path)
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.chains.push([...path])
  }

  #pathOf(pipe: PipeNode, scope: Scope): Path {
    const [command, ...more] = pipe.commands
    if (!command || more.length > 0 || command.operands.length > 1) return undefined
    return this.#operandPath(command.operands[0], scope)
  }

  #operandPath(operand: Operand, scope: Scope): Path {
    const joined = (base: Path, names: readonly string[]): Path => base && [...base, ...names]
    switch (operand.kind) {
      case 'dot':
        return scope.dot
      case 'field':
        return joined(scope.dot, operand.names)
      case 'variable': {
        const [name, ...names] = operand.names
        return joined(name === '$' ? scope.root : scope.variables.get(name), names)
      }
      case 'chain':
        return joined(this.#operandPath(operand.base, scope), operand.names)
      case 'pipe':
        return this.#pathOf(operand, scope)
      default:
        return undefined
    }
  }
}
