/**
 * Sets of field paths in the form managedFields stores them (FieldsV1): `f:name` is a field,
 * `k:{"name":"web"}` a list item by its keys, `v:"x"` an item of a set. A node is a member when it is
 * empty or has `.`; otherwise it only leads to members. Trees are never changed.
 */
export interface FieldTree {
  readonly [element: string]: FieldTree
}

/** Used while building; the same shape, open for writing. */
export interface OpenTree {
  [element: string]: OpenTree
}

export const leaf: FieldTree = Object.freeze({})

/** No member at all. Only the root may be without children and still hold nothing. */
export function isEmptyTree(tree: FieldTree): boolean {
  for (const _ in tree) return false
  return true
}

/** Members of either. */
export function union(a: FieldTree, b: FieldTree): FieldTree {
  if (a === b || isEmptyTree(b)) return a
  if (isEmptyTree(a)) return b
  const joined: OpenTree = { ...(a as OpenTree) }
  for (const element in b) {
    const right = b[element] ?? leaf
    const left = a[element]
    joined[element] = (left ? unionNode(left, right) : right) as OpenTree
  }
  return joined
}

function unionNode(a: FieldTree, b: FieldTree): FieldTree {
  const emptyA = isEmptyTree(a)
  const emptyB = isEmptyTree(b)
  if (emptyA && emptyB) return a
  if (emptyA) return { '.': leaf, ...b }
  if (emptyB) return { '.': leaf, ...a }
  return union(a, b)
}

/** Members of `a` that are not members of `b`. */
export function difference(a: FieldTree, b: FieldTree): FieldTree {
  if (isEmptyTree(a) || isEmptyTree(b)) return a
  const rest: OpenTree = {}
  let changed = false
  for (const element in a) {
    const left = a[element] ?? leaf
    const right = b[element]
    const kept = right === undefined ? left : differenceNode(left, right)
    if (kept !== left) changed = true
    if (kept) rest[element] = kept as OpenTree
  }
  return changed ? rest : a
}

function differenceNode(a: FieldTree, b: FieldTree): FieldTree | undefined {
  const memberB = isMember(b)
  if (isEmptyTree(a)) return memberB ? undefined : a
  if (isEmptyTree(b)) {
    if (!a['.']) return a
    const { '.': _, ...children } = a
    return isEmptyTree(children) ? undefined : children
  }
  const rest = difference(a, b)
  return isEmptyTree(rest) ? undefined : onlySelf(rest)
}

/** `{".":{}}` is written `{}`. */
function onlySelf(tree: FieldTree): FieldTree {
  for (const element in tree) if (element !== '.') return tree
  return leaf
}

/** `a` without the members of `b` and without everything below them. */
export function recursiveDifference(a: FieldTree, b: FieldTree): FieldTree {
  const rest: OpenTree = {}
  let changed = false
  for (const element in a) {
    const left = a[element] ?? leaf
    const right = b[element]
    if (right === undefined) {
      rest[element] = left as OpenTree
      continue
    }
    if (isMember(right)) {
      changed = true
      continue
    }
    const kept = recursiveDifference(left, right)
    if (kept !== left) changed = true
    if (kept === left || !isEmptyTree(kept)) rest[element] = kept as OpenTree
  }
  return changed ? rest : a
}

/** Members of both. */
export function intersection(a: FieldTree, b: FieldTree): FieldTree {
  const common: OpenTree = {}
  for (const element in a) {
    const right = b[element]
    if (right === undefined) continue
    const left = a[element] ?? leaf
    if (element === '.') {
      common['.'] = {}
      continue
    }
    const both = isMember(left) && isMember(right)
    const below = isEmptyTree(left) || isEmptyTree(right) ? leaf : intersection(left, right)
    const { '.': _, ...children } = below
    if (isEmptyTree(children)) {
      if (both) common[element] = {}
    } else {
      common[element] = (both ? { '.': leaf, ...children } : children) as OpenTree
    }
  }
  return common
}

export function isMember(node: FieldTree): boolean {
  return node['.'] !== undefined || isEmptyTree(node)
}

export function equalTrees(a: FieldTree, b: FieldTree): boolean {
  if (a === b) return true
  let countA = 0
  for (const element in a) {
    countA++
    const right = b[element]
    if (right === undefined || !equalTrees(a[element] ?? leaf, right)) return false
  }
  let countB = 0
  for (const _ in b) countB++
  return countA === countB
}

/** Members as messages print them, in order: `.spec.containers[name="web"].image`. */
export function pathsOf(tree: FieldTree, prefix = ''): readonly string[] {
  const paths: string[] = []
  for (const element of Object.keys(tree).sort()) {
    if (element === '.') continue
    const node = tree[element] ?? leaf
    const path = `${prefix}${elementText(element)}`
    if (isMember(node)) paths.push(path)
    paths.push(...pathsOf(node, path))
  }
  return paths
}

function elementText(element: string): string {
  const rest = element.slice(2)
  switch (element.slice(0, 2)) {
    case 'f:':
      return `.${rest}`
    case 'k:': {
      const keys = JSON.parse(rest) as Record<string, unknown>
      const texts = Object.entries(keys).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      return `[${texts.join(',')}]`
    }
    case 'v:':
      return `[=${rest}]`
    default:
      return `[${rest}]`
  }
}
