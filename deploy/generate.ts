import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { crd, kinds } from '@serinus/api'
import { parseAllDocuments, stringify } from 'yaml'

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

/** Part of an rbac.authorization.k8s.io/v1 Role. */
export interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** The generated files of this folder, with their content. */
export const generated = {
  'crds.yaml': crdsYaml,
  'namespace-install.yaml': namespaceInstallYaml,
} as const

/** The five kinds as one file; too large for client-side apply, hence `kubectl apply --server-side`. */
function crdsYaml(): string {
  const documents = Object.values(kinds).map((kind) =>
    stringify(crd(kind), { aliasDuplicateObjects: false, lineWidth: 0 }),
  )
  return `# Generated from packages/api by \`npm run build\`. Install with: kubectl apply --server-side -f deploy/crds.yaml\n${documents.join('---\n')}`
}

/** The controller for one namespace: the same as for the cluster, with a Role in place of the ClusterRole. */
function namespaceInstallYaml(): string {
  const rbac = manifests('controller-rbac.yaml')
  const role: Manifest = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'serinus' },
    rules: namespacedRules(rbac),
  }
  const binding: Manifest = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'serinus' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'serinus' },
    subjects: [{ kind: 'ServiceAccount', name: 'argo-rollouts' }],
  }
  const objects = [
    ...rbac.filter(({ kind }) => kind === 'ServiceAccount'),
    role,
    binding,
    ...manifests('controller.yaml').map(namespaced),
  ].map(({ metadata: { namespace: _, ...metadata }, ...rest }) => ({ ...rest, metadata }))
  const documents = objects.map(({ apiVersion, kind, metadata, ...rest }) =>
    stringify(
      { apiVersion, kind, metadata, ...rest },
      { aliasDuplicateObjects: false, lineWidth: 0 },
    ),
  )
  return `# Generated from controller-rbac.yaml and controller.yaml by \`npm run build\`. For one namespace, without any object of the cluster
# (its administrator installs crds.yaml): kubectl apply -n NAMESPACE -f deploy/namespace-install.yaml\n${documents.join('---\n')}`
}

/** Everything that a Role can allow. */
function namespacedRules(rbac: readonly Manifest[]): readonly Rule[] {
  return ['ClusterRole', 'Role'].flatMap((kind) => {
    const found = rbac.find((manifest) => manifest.kind === kind)
    return ((found?.['rules'] ?? []) as readonly Rule[]).map((rule) => ({
      ...rule,
      resources: rule.resources.filter((name) => name !== kinds.clusterAnalysisTemplates.plural),
    }))
  })
}

interface PodOwner {
  readonly template: {
    readonly spec: { readonly containers: readonly { readonly args?: readonly string[] }[] }
  }
}

function namespaced(manifest: Manifest): Manifest {
  if (manifest.kind !== 'Deployment') return manifest
  const spec = manifest['spec'] as PodOwner
  const containers = spec.template.spec.containers.map(({ args = [], ...container }) => ({
    ...container,
    args: [...args, '--namespaced'],
  }))
  const template = { ...spec.template, spec: { ...spec.template.spec, containers } }
  return { ...manifest, spec: { ...spec, template } }
}

/** The objects of a file of this folder. */
export function manifests(name: string): readonly Manifest[] {
  return parseAllDocuments(readFileSync(pathOf(name), 'utf8')).map(
    (document) => document.toJS() as Manifest,
  )
}

/** Whether the file in the tree is what would be generated. */
export function isCurrent(name: keyof typeof generated): boolean {
  return readFileSync(pathOf(name), 'utf8') === generated[name]()
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url))
}

if (import.meta.main) {
  for (const [name, content] of Object.entries(generated)) writeFileSync(pathOf(name), content())
}
