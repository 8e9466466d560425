import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { directory, startDaemon } from '../support/daemon.ts';
import { tzif } from '../support/tzif.ts';

it('start warns when the system knows of clock changes that Node does not', async () => {
  const zoneinfo = directory();
  writeFileSync(join(zoneinfo, 'tzdata.zi'), '# version 2999a\n');
  mkdirSync(join(zoneinfo, 'America'));
  writeFileSync(join(zoneinfo, 'America/Winnipeg'), tzif({ footer: 'XXX-11:11' }));
  const jobs = { job: { cron: '0 9 * * *', timezone: 'America/Winnipeg', run: 'true' } };
  const daemon = startDaemon({ jobs: JSON.stringify({ jobs }), env: { TZDIR: zoneinfo } });
  const { level, msg } = await daemon.waitFor('the warning', ({ msg }) => msg.includes('time zone data'));
  expect(level).toBe('warning');
  expect(msg).toMatch(
    /^Node's time zone data is \d{4}[a-z]+, this system's 2999a\. .*America\/Winnipeg \(from /,
  );
});
