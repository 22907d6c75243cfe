import { Readable } from 'node:stream';
import { z } from 'zod';
import { Fault } from '#model';
import { findSession } from '../../evidence/sessions.ts';
import { exportSession } from '../../recordings/export-session.ts';
import { readRecording } from '../../recordings/read-recording.ts';
import { tarParts } from '../../recordings/tar.ts';
import { callerOf } from '../caller.ts';
import type { Api, ApiDesk } from '../desk.ts';
import { problem } from '../schemas/page.ts';
import { recordingPage } from '../schemas/recording.ts';

const errors = { '4xx': problem, '5xx': problem };
const params = z.object({ id: z.string().max(100) });

/** Recordings of sessions: what was sent and shown, byte for byte. Who may see them is decided by the policies of the target `warder`. */
export function recordingRoutes(api: Api, desk: ApiDesk): void {
  api.route({
    method: 'GET',
    url: '/sessions/:id/recording',
    config: { access: { roles: 'any', audit: ['recording.read'] } },
    schema: {
      params,
      querystring: z.object({ after: z.string().max(20).optional().describe('The `next` of the page before.') }),
      response: { 200: recordingPage, ...errors },
    },
    handler: async (request) => {
      const viewer = callerOf(request).subject;
      const session = await findSession(desk.store.db, { viewer, id: request.params.id });
      const after = request.query.after === undefined ? undefined : Number(request.query.after);
      if (after !== undefined && (!Number.isSafeInteger(after) || after < 0))
        throw new Fault('INVALID_INPUT', '`after` is not the `next` of an earlier page');
      const { marks, items, ...page } = await readRecording(
        {
          db: desk.store.db,
          administration: desk.administration,
          disclose: (origin, wanted) => desk.disclosing.disclose(origin, wanted),
        },
        { session, viewer, after },
      );
      return {
        ...page,
        ...(marks === undefined ? {} : { marks: marks.map((mark) => ({ ...mark, rules: [...mark.rules] })) }),
        items: items.map((item) => ({ ...item, pieces: [...item.pieces] })),
      };
    },
  });

  api.route({
    method: 'GET',
    url: '/sessions/:id/export',
    config: { access: { roles: 'any', audit: ['recording.read'] } },
    schema: {
      params,
      response: { 200: z.unknown().describe('A tar archive (application/x-tar) that proves itself; its README.md says how.'), ...errors },
    },
    handler: async (request, reply) => {
      const viewer = callerOf(request).subject;
      const { store, administration, fleet, disclosing, ledger, ledgerFolder, exportBytesMax: bytesMax, world } = desk;
      const session = await findSession(store.db, { viewer, id: request.params.id });
      const { files, done } = await exportSession(
        { db: store.db, administration, fleet, disclosing, ledger, ledgerFolder, bytesMax, world },
        { session, viewer },
      );
      const archive = Readable.from(tarParts(files));
      // Also when it was never begun, because nobody is there any more.
      archive.once('close', () => void done());
      return reply.type('application/x-tar').header('content-disposition', `attachment; filename="${session.id}.tar"`).send(archive);
    },
  });
}
