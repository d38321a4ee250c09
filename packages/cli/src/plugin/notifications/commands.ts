import type { PluginCommand } from '../command.ts'
import type { CommandParts } from '../terminal.ts'

interface Flags {
  readonly configNamespace: string
  readonly configMap: string
  readonly secret: string
}

/**
 * `notifications` (spec cli 10, api 15.1 A10). The languages of templates and conditions take longer to load than
 * any other command to run: they are loaded by these commands alone.
 */
export function addNotifications(program: PluginCommand, parts: CommandParts): void {
  const { terminal, connect } = parts
  const group = program
    .command('notifications')
    .description('Set of CLI commands that helps manage notifications settings')
    .option(
      '--config-namespace <string>',
      'Namespace of the controller, whose configuration every namespace may use',
      'argo-rollouts',
    )
    .option('--config-map <string>', 'File with the ConfigMap, - for stdin', '')
    .option('--secret <string>', 'File with the Secret, - for stdin, :empty for none', '')
    .action(() => terminal.out(group.helpInformation()))
  const source = () => ({ access: connect(), terminal, ...group.opts<Flags>() })

  const template = child(group, 'template', 'Notification templates related commands')
  addGet(template, 'template', async (name, output) => {
    const { templates } = await import('./definitions.ts')
    terminal.out(await templates(source(), { name, output }))
  })
  template
    .command('notify')
    .description(
      'Generates notification using the specified template and send it to specified recipients',
    )
    .argument('[NAME]')
    .argument('[RESOURCE_NAME]')
    .allowExcessArguments()
    .examples(
      [
        'Render a notification on the console',
        'notifications template notify rollout-updated guestbook',
      ],
      [
        'Send it to Slack',
        'notifications template notify rollout-updated guestbook --recipient slack:my-channel',
      ],
    )
    .option(
      '--recipient <stringArray>',
      'SERVICE:RECIPIENT, can be repeated; subscribed stands for the subscriptions of the rollout (default console:stdout)',
      (value: string, previous: readonly string[]) => [...previous, value],
      [],
    )
    .action(
      async (
        name: string | undefined,
        resource: string | undefined,
        { recipient }: { readonly recipient: readonly string[] },
      ) => {
        if (name === undefined || resource === undefined) {
          throw new Error(`expected two arguments, got ${name === undefined ? 0 : 1}`)
        }
        const { notify } = await import('./notify.ts')
        await notify(source(), { template: name, resource, recipients: recipient })
      },
    )

  const trigger = child(group, 'trigger', 'Notification triggers related commands')
  addGet(trigger, 'trigger', async (name, output) => {
    const { triggers } = await import('./definitions.ts')
    terminal.out(await triggers(source(), { name, output }))
  })
}

function child(group: PluginCommand, name: string, description: string): PluginCommand {
  return group
    .command(name)
    .description(description)
    .action(() => {
      throw new Error('select child command')
    })
}

function addGet(
  group: PluginCommand,
  kind: 'template' | 'trigger',
  print: (name: string | undefined, output: string) => Promise<void>,
): void {
  group
    .command('get')
    .description(`Prints information about configured ${kind}s`)
    .argument('[NAME]')
    .examples(
      [`Prints all ${kind}s`, `notifications ${kind} get`],
      [`Prints one ${kind} as YAML`, `notifications ${kind} get NAME -o yaml`],
    )
    .option('-o, --output <string>', 'Output format. One of: json|yaml|wide|name', 'wide')
    .action((name: string | undefined, { output }: { readonly output: string }) =>
      print(name, output),
    )
}
