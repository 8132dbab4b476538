"""Pictures with captions or classes as people have them: folders, archives and tables, read where they lie."""
