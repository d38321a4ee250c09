import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { crd, kinds } from '@serinus/api'
import { stringify } from 'yaml'

const file = fileURLToPath(new URL('./crds.yaml', import.meta.url))

/** The five kinds as one file; too large for client-side apply, hence `kubectl apply --server-side`. */
export function crdsYaml(): string {
  const documents = Object.values(kinds).map((kind) =>
    stringify(crd(kind), { aliasDuplicateObjects: false, lineWidth: 0 }),
  )
  return `# Generated from packages/api by \`npm run build\`. Install with: kubectl apply --server-side -f deploy/crds.yaml\n${documents.join('---\n')}`
}

/** Whether the file in the tree says what the schema says. */
export function isCurrent(): boolean {
  return readFileSync(file, 'utf8') === crdsYaml()
}

if (import.meta.main) writeFileSync(file, crdsYaml())
