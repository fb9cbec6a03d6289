/** One of several controllers leads: whoever holds the Lease and renews it in time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordinationV1Api, V1MicroTime } from '@kubernetes/client-node';
import { CONFLICT, codeOf, ifCode, NOT_FOUND, sayingOf } from './api';
import { LEASE } from './names';

/** A leader that cannot renew stops acting some time before another may begin. In seconds. */
const [LEASE_SECONDS, ACT_SECONDS, RENEW_SECONDS] = [10, 7, 2];

export class Leadership {
  /** By a clock that never jumps. */
  private actsUntil = 0;
  /** Of another's lease: what was seen of it, and when first. */
  private seen = { version: '', since: 0 };

  constructor(
    private readonly api: CoordinationV1Api,
    private readonly namespace: string,
    private readonly identity: string,
    private readonly say: (line: string) => void,
  ) {}

  get isLeader(): boolean {
    return performance.now() < this.actsUntil;
  }

  /** Tries to lead, again and again, until the signal; then gives the lease away. @param began called when it leads */
  async run(began: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const was = this.isLeader;
      const asked = performance.now();
      const isMine = await this.hold().catch((error: unknown) => {
        this.say(`the lease ${LEASE}: ${sayingOf(error)}; trying again`);
        return false;
      });
      if (isMine) this.actsUntil = asked + ACT_SECONDS * 1000;
      if (isMine && !was) began();
      await sleep(RENEW_SECONDS * 1000, undefined, { signal }).catch(() => {});
    }
    if (this.isLeader) await this.release().catch(() => {});
    this.actsUntil = 0;
  }

  /** @returns whether the lease is ours, renewed */
  private async hold(): Promise<boolean> {
    const { api, namespace, identity } = this;
    const now = new V1MicroTime();
    const lease = await api.readNamespacedLease({ name: LEASE, namespace }).catch(ifCode(NOT_FOUND));
    const spec = { holderIdentity: identity, leaseDurationSeconds: LEASE_SECONDS, renewTime: now };
    try {
      if (lease === undefined) {
        const body = { metadata: { name: LEASE, namespace }, spec: { ...spec, acquireTime: now, leaseTransitions: 0 } };
        await api.createNamespacedLease({ namespace, body });
        return true;
      }
      const { holderIdentity: holder, leaseDurationSeconds = LEASE_SECONDS } = lease.spec ?? {};
      // The other's clock may be wrong: what counts is how long its lease has been seen not to change.
      const version = lease.metadata!.resourceVersion!;
      if (version !== this.seen.version) this.seen = { version, since: performance.now() };
      const isFree = holder === undefined || holder === '' || holder === identity;
      if (!isFree && performance.now() - this.seen.since < leaseDurationSeconds * 1000) return false;
      const taken = { acquireTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
      const body = { ...lease, spec: { ...lease.spec, ...(holder === identity ? {} : taken), ...spec } };
      await api.replaceNamespacedLease({ name: LEASE, namespace, body });
      return true;
    } catch (error) {
      // Another was faster.
      if (codeOf(error) === CONFLICT) return false;
      throw error;
    }
  }

  private async release(): Promise<void> {
    const { api, namespace, identity } = this;
    const lease = await api.readNamespacedLease({ name: LEASE, namespace });
    if (lease.spec?.holderIdentity !== identity) return;
    await api.replaceNamespacedLease({
      ...{ name: LEASE, namespace },
      body: { ...lease, spec: { ...lease.spec, holderIdentity: '' } },
    });
  }
}
