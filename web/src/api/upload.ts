// Sends a file with progress, which fetch cannot tell. Errors are the same Problem.

import {headersFor, Problem, problemOf, url, type CallOptions} from './http';

export function upload<T>(path: string, query: CallOptions['query'], body: Blob | string, type: string,
  onProgress: (sent: number, total: number) => void, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url(path, query));
    for (const [name, value] of Object.entries(headersFor('POST', {'Content-Type': type}))) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onerror = () => reject(new Problem(0, 'Not reached', 'The connection broke during the upload. Nothing was imported unless the import is listed.', 'unreachable'));
    request.onabort = () => reject(new Problem(0, 'Stopped', 'The upload was stopped.', 'aborted'));
    request.onload = () => {
      const headers = new Headers();
      for (const name of ['x-request-id', 'retry-after']) {
        const value = request.getResponseHeader(name);
        if (value) headers.set(name, value);
      }
      const response = new Response(request.responseText || null, {status: request.status || 500, headers});
      if (response.ok) resolve(response.json() as Promise<T>);
      else void problemOf(response).then(reject, reject);
    };
    signal?.addEventListener('abort', () => request.abort(), {once: true});
    request.send(body);
  });
}
