export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const

const name = 'kubectl-argo-rollouts'

/** A script that asks the plugin itself for candidates; null for a shell that is not known (spec cli 1.2). */
export function completionScript(shell: string): string | null {
  switch (shell) {
    case 'bash':
      return `# bash completion for ${name}
__${name}() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  local lines
  lines=$(${name} __completeNoDesc "\${words[@]}" 2>/dev/null | grep -v '^:' | cut -f1)
  COMPREPLY=($(compgen -W "$lines" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F __${name} ${name}
`
    case 'zsh':
      return `#compdef ${name}
_${name}() {
  local -a candidates
  candidates=(\${(f)"$(${name} __complete "\${words[@]:1:$((CURRENT-1))}" 2>/dev/null | grep -v '^:' | sed 's/\\t/:/')"})
  _describe '${name}' candidates
}
compdef _${name} ${name}
`
    case 'fish':
      return `# fish completion for ${name}
function __${name.replaceAll('-', '_')}
  set -l words (commandline -opc) (commandline -ct)
  ${name} __complete $words[2..-1] 2>/dev/null | string match -v ':*'
end
complete -c ${name} -f -a '(__${name.replaceAll('-', '_')})'
`
    case 'powershell':
      return `# powershell completion for ${name}
Register-ArgumentCompleter -Native -CommandName '${name}' -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($wordToComplete -eq '') { $words += '' }
  & ${name} __completeNoDesc @words 2>$null | Where-Object { -not $_.StartsWith(':') } | ForEach-Object { ($_ -split "\\t")[0] }
}
`
    default:
      return null
  }
}
