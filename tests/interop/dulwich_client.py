"""dulwich as a client, for git_clients.sh: URL DIR REF, as libgit2_client.c."""
import os
import sys

from dulwich import porcelain

url, folder, ref = sys.argv[1:]
quiet = open(os.devnull, 'wb')
repo = porcelain.clone(url, folder, errstream=quiet)
print(repo.head().decode(), flush=True)
sys.stdin.readline()
fetched = porcelain.fetch(repo, url, errstream=quiet).refs[b'refs/heads/main']
print(fetched.decode(), flush=True)
with open(os.path.join(folder, 'from-client'), 'w') as f:
    f.write('by another client')
porcelain.add(repo, [os.path.join(folder, 'from-client')])
me = b'D <d@example.org>'
mine = porcelain.commit(repo, b'by dulwich', author=me, committer=me)
porcelain.push(repo, url, b'HEAD:' + ref.encode(), outstream=quiet, errstream=quiet)
print(mine.decode(), flush=True)
