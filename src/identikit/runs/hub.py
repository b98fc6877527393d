"""A bundle as a data set on the Hugging Face Hub: its card first, its members beside the file."""

from pathlib import Path

from identikit.core.errors import InputError, in_words, optional_module
from identikit.runs.bundle import opened


def push(bundle: Path, repository: str, *, private: bool) -> str:
    """Put a bundle and its members into a data set, made if it is not there; where that is.

    Args:
        bundle: A file that `export` wrote.
        repository: As OWNER/NAME.
        private: Whether a new one is.

    Raises:
        InputError: the extra is not installed, the hub refuses, or cannot be reached.
    """
    hub = optional_module("huggingface_hub", what="hub", extra="hub")
    with opened(bundle) as (folder, _):
        members = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path for path in members}
        files[bundle.name] = bundle
        additions = [
            hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=path)
            for name, path in files.items()
        ]
        try:
            api = hub.HfApi()
            made = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
            api.create_commit(
                repository,
                additions,
                repo_type="dataset",
                commit_message=f"identikit bundle {bundle.name}",
            )
        except Exception as error:  # of the library's own kinds, which differ by its version
            raise InputError(
                f"the hub did not take {bundle} as {repository}: {in_words(error)}. See that you "
                "are logged in (hf auth login) and may write there; the bundle is kept."
            ) from error
        return str(made)
