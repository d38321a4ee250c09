import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  httpClient,
  type KubeClient,
  kubeconfigTransport,
  RealClock,
  resources,
  SeededRandom,
} from '@serinus/kube'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { stringify } from 'yaml'
import {
  configMap,
  deployment,
  realApi,
  testEmbedded,
  widget,
  widgetDefinition,
} from './api-under-test.ts'
import { type Listening, listen } from './listen.ts'
import { ApiServer } from './server.ts'

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

interface Output {
  readonly code: number
  readonly out: string
  readonly err: string
}

describe.skipIf(!hasKubectl())('kubectl (needs kubectl on the PATH)', () => {
  let folder: string
  let client: KubeClient
  /** The embedded server; a kube-apiserver has its own process. */
  let server: ApiServer
  let address: Listening | undefined
  let namespace = ''
  let tests = 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kubectl-'))
    if (realApi !== undefined) {
      copyFileSync(realApi, join(folder, 'config'))
      const { transport, baseUrl } = kubeconfigTransport({ kubeconfig: realApi, env: {} })
      client = httpClient(transport, { baseUrl })
      return
    }
    server = new ApiServer({ clock: new RealClock(), random: new SeededRandom(1) })
    client = server.client
    address = await listen(server, { host: '127.0.0.1', port: 0, tls: true })
    writeFileSync(join(folder, 'config'), address.kubeconfig)
  })
  afterAll(async () => {
    await address?.close()
    rmSync(folder, { recursive: true })
  })
  beforeEach(async () => {
    namespace = `test-${process.pid}-${++tests}`
    await client.create(resources.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    })
  })

  function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    return spawn('kubectl', ['-n', namespace, ...args], {
      env: {
        ...environment,
        PATH: process.env['PATH'],
        HOME: folder,
        KUBECONFIG: join(folder, 'config'),
      },
    })
  }

  function kubectl(args: string, input = ''): Promise<Output> {
    const child = start(args.match(/'[^']*'|\S+/g)?.map((part) => part.replace(/^'|'$/g, '')) ?? [])
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.stdin.end(input)
    return new Promise((resolve) =>
      child.on('close', (code) => resolve({ code: code ?? -1, out, err })),
    )
  }

  const manifest = (...objects: readonly object[]) =>
    objects.map((object) => stringify(object)).join('---\n')
  const web = deployment('web')

  test('apply creates, repeats, shows a diff and configures [embedded-cluster 1]', async () => {
    const objects = manifest(web, configMap('settings', { a: '1' }))
    expect((await kubectl('apply -f -', objects)).out).toBe(
      'deployment.apps/web created\nconfigmap/settings created\n',
    )
    expect((await kubectl('apply -f -', objects)).out).toBe(
      'deployment.apps/web unchanged\nconfigmap/settings unchanged\n',
    )
    const changed = manifest(deployment('web', { replicas: 3 }))
    const diff = await kubectl('diff -f -', changed)
    expect(diff.code).toBe(1)
    const lines = diff.out.split('\n').filter((line) => /^[-+] /.test(line))
    expect(lines.map((line) => line.replace(/ +/g, ' '))).toEqual([
      '- generation: 1',
      '+ generation: 2',
      '- replicas: 2',
      '+ replicas: 3',
    ])
    expect((await kubectl('apply -f -', changed)).out).toBe('deployment.apps/web configured\n')
    expect((await kubectl('diff -f -', changed)).code).toBe(0)
  })

  test('apply --server-side owns fields and tells of conflicts [embedded-cluster 1]', async () => {
    expect((await kubectl('apply --server-side -f -', manifest(web))).out).toBe(
      'deployment.apps/web serverside-applied\n',
    )
    const other = await kubectl(
      'apply --server-side --field-manager other -f -',
      manifest(deployment('web', { replicas: 5 })),
    )
    expect(other.err).toContain(
      'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas',
    )
    const forced = await kubectl(
      'apply --server-side --field-manager other --force-conflicts -f -',
      manifest(deployment('web', { replicas: 5 })),
    )
    expect(forced.code).toBe(0)
  })

  test('mistakes are named as by a real server [embedded-cluster 1]', async () => {
    const unknown = await kubectl(
      'create -f -',
      manifest({ ...web, spec: { ...web.spec, replica: 3 } }),
    )
    expect(unknown.err).toBe(
      'Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replica"\n',
    )
    const mismatch = await kubectl(
      'create -f -',
      manifest(deployment('web', { selector: { matchLabels: { app: 'x' } } })),
    )
    expect(mismatch.err).toBe(
      'The Deployment "web" is invalid: spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`\n',
    )
    const missing = await kubectl(
      'apply -f -',
      manifest({ ...widget('w', {}), apiVersion: 'none.example.com/v1' }),
    )
    expect(missing.err).toBe(
      'error: resource mapping not found for name: "w" namespace: "" from "STDIN": no matches for kind "Widget" in version "none.example.com/v1"\nensure CRDs are installed first\n',
    )
    expect((await kubectl('get deployment none')).err).toBe(
      'Error from server (NotFound): deployments.apps "none" not found\n',
    )
  })

  test('get shows the columns, also wide [embedded-cluster 1]', async () => {
    await kubectl('apply -f -', manifest(web))
    const { out } = await kubectl('get deployments -o wide')
    expect(out.replace(/\b\d+s\b/, 'AGE').replace(/ +/g, ' ')).toBe(
      'NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR\nweb 0/2 0 0 AGE main nginx:1 app=web\n',
    )
  })

  test('get --watch shows each change once [embedded-cluster 1]', async () => {
    await kubectl('create configmap one --from-literal=a=1')
    const child = start([
      'get',
      'configmaps',
      '--watch',
      '--no-headers',
      '-o',
      'custom-columns=N:.metadata.name,A:.data.a',
    ])
    let text = ''
    // Only whole lines count: a chunk may end in the middle of one.
    const lines = () => text.split('\n').slice(0, -1)
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    const seen = (count: number) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (lines().length >= count) resolve()
        }
        child.stdout.on('data', look)
        look()
      })
    await seen(1)
    await kubectl(`patch configmap one -p '{"data":{"a":"2"}}'`)
    await kubectl('create configmap two --from-literal=a=3')
    await seen(3)
    child.kill()
    expect(lines().map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
      'one 1',
      'one 2',
      'two 3',
    ])
  })

  test('describe tells of an object and its events [embedded-cluster 1]', async () => {
    await kubectl('apply -f -', manifest(web))
    const { metadata } = await client.get(resources.deployments, { namespace, name: 'web' })
    await client.create(resources.events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web.1', namespace },
      involvedObject: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        name: 'web',
        namespace,
        uid: metadata.uid,
      },
      reason: 'ScalingReplicaSet',
      message: 'Scaled up replica set web-1 to 2',
      type: 'Normal',
      count: 1,
      source: { component: 'deployment-controller' },
    } as never)
    const { out } = await kubectl('describe deployment web')
    expect(out).toContain(
      'Replicas:               2 desired | 0 updated | 0 total | 0 available | 0 unavailable',
    )
    expect(out).toContain('RollingUpdateStrategy:  25% max unavailable, 25% max surge')
    expect(out).toMatch(
      /Normal +ScalingReplicaSet +<unknown> +deployment-controller +Scaled up replica set web-1 to 2/,
    )
  })

  test('label, annotate, scale and three kinds of patch change the object [embedded-cluster 1]', async () => {
    await kubectl('apply -f -', manifest(web))
    expect((await kubectl('label deployment web tier=front')).out).toBe(
      'deployment.apps/web labeled\n',
    )
    expect((await kubectl('annotate deployment web note=hi')).out).toBe(
      'deployment.apps/web annotated\n',
    )
    expect((await kubectl('scale deployment web --replicas=4')).out).toBe(
      'deployment.apps/web scaled\n',
    )
    await kubectl(
      `patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A","value":"b"}]}]}}}}'`,
    )
    await kubectl(`patch deployment web --type=merge -p '{"spec":{"paused":true}}'`)
    await kubectl(
      `patch deployment web --type=json -p '[{"op":"replace","path":"/spec/minReadySeconds","value":0},{"op":"add","path":"/spec/minReadySeconds","value":5}]'`,
    )
    await kubectl(
      `patch deployment web --type=json -p '[{"op":"add","path":"/spec/minReadySeconds","value":5}]'`,
    )
    const { out } = await kubectl('get deployment web -o json')
    const found = JSON.parse(out)
    expect(found.metadata.labels.tier).toBe('front')
    expect(found.metadata.annotations.note).toBe('hi')
    expect(found.spec).toMatchObject({ replicas: 4, paused: true, minReadySeconds: 5 })
    expect(found.spec.template.spec.containers).toEqual([
      expect.objectContaining({ name: 'main', image: 'nginx:1', env: [{ name: 'A', value: 'b' }] }),
    ])
  })

  test('wait sees a condition come and an object go [embedded-cluster 1]', async () => {
    await kubectl('apply -f -', manifest(web))
    const available = kubectl('wait --for=condition=Available deployment/web --timeout=10s')
    const condition = { type: 'Available', status: 'True', reason: 'Test', message: '' }
    await kubectl(
      `patch deployment web --subresource=status --type=merge -p '${JSON.stringify({ status: { observedGeneration: 1, conditions: [condition] } })}'`,
    )
    expect((await available).out).toBe('deployment.apps/web condition met\n')
    const gone = kubectl('wait --for=delete deployment/web --timeout=10s')
    await kubectl('delete deployment web')
    expect((await gone).code).toBe(0)
  })

  test('create makes the usual objects, which kubectl sends as protobuf [embedded-cluster 1]', async () => {
    expect((await kubectl('create secret generic pass --from-literal=key=value')).out).toBe(
      'secret/pass created\n',
    )
    expect((await kubectl('get secret pass -o jsonpath={.data.key}')).out).toBe('dmFsdWU=')
    for (const args of [
      'create deployment api --image=nginx --replicas=2 --port=80',
      'create service clusterip api --tcp=80:8080',
      'create ingress api --rule=a.example.com/*=api:80',
      'create job once --image=busybox -- true',
      `create cronjob often --image=busybox '--schedule=*/5 * * * *'`,
      'create serviceaccount bot',
      'create role reader --verb=get --resource=pods',
      'create quota few --hard=pods=3',
      'create poddisruptionbudget api --min-available=1 --selector=app=api',
      'autoscale deployment api --max=3 --cpu-percent=50',
      'run one --image=nginx --restart=Never',
    ]) {
      const { code, err } = await kubectl(args)
      expect([args, code, err]).toEqual([args, 0, ''])
    }
    const { out } = await kubectl('get service api -o jsonpath={.spec.ports[0]}')
    expect(JSON.parse(out)).toEqual({
      name: '80-8080',
      port: 80,
      protocol: 'TCP',
      targetPort: 8080,
    })
  })

  test('delete --cascade=foreground leaves a mark for the garbage collector', async () => {
    await kubectl('apply -f -', manifest(web))
    const { out } = await kubectl('delete deployment web --cascade=foreground --wait=false')
    expect(out).toContain('deployment.apps "web" deleted')
    expect((await kubectl('get deployment web -o jsonpath={.metadata.finalizers}')).out).toBe(
      '["foregroundDeletion"]',
    )
  })

  test('api-resources and explain know a CRD at once [embedded-cluster 1]', async () => {
    const definition = widgetDefinition({
      type: 'object',
      description: 'What a widget shall be.',
      properties: { size: { type: 'integer', description: 'How large it is.' } },
    })
    await kubectl('apply -f -', manifest(definition))
    expect(
      (await kubectl('api-resources --api-group=example.com --no-headers')).out.replace(/ +/g, ' '),
    ).toBe('widgets wd example.com/v1 true Widget\n')
    // A kube-apiserver publishes the schema of a new kind a moment after it serves the kind.
    const out = await vi.waitFor(
      async () => {
        const output = await kubectl('explain widget.spec')
        expect(output.code).toBe(0)
        return output.out
      },
      { timeout: 10_000, interval: 200 },
    )
    expect(out).toContain(
      'GROUP:      example.com\nKIND:       Widget\nVERSION:    v1\n\nFIELD: spec <Object>',
    )
    expect(out).toContain('  size\t<integer>\n    How large it is.')
    await kubectl('apply -f -', manifest(widget('one', { size: 3 })))
    expect((await kubectl('get wd -o name')).out).toBe('widget.example.com/one\n')
    const list = (await kubectl('api-resources --no-headers')).out
    for (const line of [
      /^pods +po +v1 +true +Pod$/m,
      /^deployments +deploy +apps\/v1 +true +Deployment$/m,
    ]) {
      expect(list).toMatch(line)
    }
  })

  test('edit sends what the editor changed [embedded-cluster 1]', async () => {
    await kubectl('apply -f -', manifest(web))
    const child = start(['edit', 'deployment', 'web'], { KUBE_EDITOR: 'sed -i s/nginx:1/nginx:2/' })
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0)
    const path = 'jsonpath={.spec.template.spec.containers[0].image}'
    expect((await kubectl(`get deployment web -o ${path}`)).out).toBe('nginx:2')
  })

  async function runningPod() {
    await kubectl('run one --image=nginx')
    await kubectl(
      `patch pod one --subresource=status --type=merge -p '{"status":{"phase":"Running"}}'`,
    )
  }

  testEmbedded.each(['true', 'false'])(
    'port-forward carries bytes both ways (by WebSocket: %s) [embedded-cluster 1]',
    async (webSockets) => {
      await runningPod()
      const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
      const asked: number[] = []
      using _forward = server.setPortForward(async ({ port }) => {
        asked.push(port)
        return connect((echo.address() as AddressInfo).port, '127.0.0.1')
      })
      const child = start(['port-forward', 'pod/one', ':8080'], {
        KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets,
      })
      const port = await new Promise<number>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          const found = /127\.0\.0\.1:(\d+) -> 8080/.exec(chunk.toString())
          if (found) resolve(Number(found[1]))
        })
      })
      const text = 'x'.repeat(100_000)
      const returned = await new Promise<string>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1')
        let received = ''
        socket.on('data', (chunk) => {
          received += chunk
          if (received.length >= text.length) socket.end()
        })
        socket.on('error', reject)
        socket.on('close', () => resolve(received))
        socket.write(text)
      })
      expect(returned === text).toBe(true)
      expect(asked).toEqual([8080])
      child.kill()
      echo.close()
    },
  )

  testEmbedded(
    'logs -f shows lines as they come; exec says why it cannot [embedded-cluster 1]',
    async () => {
      await runningPod()
      using _log = server.setSubresourceHandler('pods/log', async ({ query }) => {
        const lines = query.get('follow') === 'true' ? ['first\n', 'second\n'] : ['first\n']
        return new Response(lines.join(''))
      })
      expect((await kubectl('logs one')).out).toBe('first\n')
      expect((await kubectl('logs -f one')).out).toBe('first\nsecond\n')
      expect((await kubectl('exec one -- ls')).err).toContain(
        'exec is not available: the pods of the embedded cluster are simulated and run no processes',
      )
    },
  )

  test('auth can-i --as is right [embedded-cluster 1]', async () => {
    await kubectl('create role reader --verb=get,list --resource=pods')
    await kubectl('create rolebinding reader --role=reader --user=jane')
    const answers = async (args: string) => (await kubectl(`auth can-i ${args}`)).out.trim()
    expect(await answers('list pods --as jane')).toBe('yes')
    expect(await answers('delete pods --as jane')).toBe('no')
    expect(await answers('list pods --as jane -n default')).toBe('no')
    expect(await answers(`'*' '*'`)).toBe('yes')
    const { err } = await kubectl('get secrets --as jane')
    expect(err).toBe(
      `Error from server (Forbidden): secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "${namespace}"\n`,
    )
  })
})
