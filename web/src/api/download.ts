// Downloads are plain links, which carry the cookie but no team header: right in a person's first
// team. In another team the file is fetched with the header and handed over as a blob.

import {headersFor, identity, problemOf, toProblem, type Problem} from './http';
import {session} from './session';

/** For `@click` of a download link; calls `show` with what went wrong, if anything. */
export async function download(event: Event, show: (problem: Problem) => void): Promise<void> {
  if (identity.team === (session.info?.teams[0]?.id ?? identity.team)) return;
  event.preventDefault();
  const link = event.currentTarget as HTMLAnchorElement;
  try {
    const response = await fetch(link.href, {headers: headersFor('GET', {Accept: '*/*'}), credentials: 'same-origin'});
    if (!response.ok) throw await problemOf(response);
    const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? link.pathname.split('/').pop()!;
    const address = URL.createObjectURL(await response.blob());
    const saver = document.createElement('a');
    saver.href = address;
    saver.download = name;
    saver.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    show(toProblem(error));
  }
}
