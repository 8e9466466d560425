/** A node in a process of its own: URL, name and id are its arguments. It says "ready" once it answers, and how many requests it began. */
import { Caller, handler } from './callers.ts';

const [url = '', name = '', id = ''] = process.argv.slice(2);
const caller = await Caller.open(url, name, id);
let begun = 0;
caller.calls.serve((request, signal) => {
  begun += 1;
  process.stdout.write(`begun ${begun} ${request.target}\n`);
  return handler(request, signal);
});
process.stdout.write('ready\n');
