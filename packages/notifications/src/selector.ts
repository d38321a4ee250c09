/** Whether an object's labels are meant. */
export type Selector = (labels: Readonly<Record<string, string>>) => boolean

/** Reads Kubernetes' label selector text, such as `tier=gold,env in (a, b),!legacy`; empty text means everything. */
export function parseSelector(
  text: string,
):
  | { readonly ok: true; readonly selector: Selector }
  | { readonly ok: false; readonly problem: string } {
  const requirements: Selector[] = []
  for (const part of text.split(/,(?![^(]*\))/).map((each) => each.trim())) {
    if (part === '') continue
    const requirement = requirementOf(part)
    if (!requirement)
      return { ok: false, problem: `cannot read the label selector ${JSON.stringify(part)}` }
    requirements.push(requirement)
  }
  return {
    ok: true,
    selector: (labels) => requirements.every((requirement) => requirement(labels)),
  }
}

function requirementOf(part: string): Selector | undefined {
  const key = '([A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?)'
  const set = new RegExp(`^${key}\\s+(in|notin)\\s*\\(([^)]*)\\)$`).exec(part)
  if (set) {
    const [, name = '', operator, list = ''] = set
    const values = list.split(',').map((value) => value.trim())
    return (labels) => values.includes(labels[name] ?? '\0') === (operator === 'in')
  }
  const comparison = new RegExp(`^${key}\\s*(==|=|!=)\\s*([-A-Za-z0-9_.]*)$`).exec(part)
  if (comparison) {
    const [, name = '', operator, value] = comparison
    return (labels) => (labels[name] === value) === (operator !== '!=')
  }
  const existence = new RegExp(`^(!?)\\s*${key}$`).exec(part)
  if (!existence) return undefined
  const [, not, name = ''] = existence
  return (labels) => Object.hasOwn(labels, name) === (not === '')
}
