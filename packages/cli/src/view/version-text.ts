import { build, version } from '../version.ts'

const goNames: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', win32: 'windows' }

/** The lines of `version`, with the labels that scripts look for (spec cli 11). */
export function versionText(runtime: {
  readonly version: string
  readonly platform: string
  readonly arch: string
}): readonly string[] {
  const platform = goNames[runtime.platform] ?? runtime.platform
  const arch = goNames[runtime.arch] ?? runtime.arch
  return [
    `kubectl-argo-rollouts: ${version}`,
    `  BuildDate: ${build.date}`,
    `  GitCommit: ${build.commit}`,
    `  GitTreeState: ${build.treeState}`,
    `  GoVersion: node ${runtime.version}`,
    '  Compiler: v8',
    `  Platform: ${platform}/${arch}`,
  ]
}
